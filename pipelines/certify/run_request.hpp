#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/certify/image_data.hpp"
#include "pipelines/certify/image_record.hpp"
#include "pipelines/common/flags.hpp"

namespace reseda::certify {

/// --data, --model, --sigma, ... of `reseda certify run`.
app::FlagTable run_flags();

/// What those flags ask for.
struct RunRequest {
  std::filesystem::path data, log;
  DataSplit split = DataSplit::kTest;
  std::vector<double> sigmas, radii;  ///< radii: of the table
  RunSettings settings;               ///< of every sigma, but for sigma, model and the size of the data
  std::int64_t batch = 400;
  std::string shard;
  bool record_times = false, overwrite = false, dry_run = false, json = false;
  std::string progress;

  /// The settings at one sigma. @throws Error{kUsage} where no vote could certify anything
  RunSettings at(double sigma) const;
  /// The log of one sigma: that of --output where there is one sigma.
  std::filesystem::path log_of(double sigma) const;
};

/// @throws Error{kUsage} naming the flag
RunRequest run_request(const app::Flags& flags);

/// Numbers separated by commas. @throws Error{kUsage} naming the flag: none, not a number, below 0, or twice
std::vector<double> parse_numbers(const std::string& flag, const std::string& text);

}  // namespace reseda::certify
