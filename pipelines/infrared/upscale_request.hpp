#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "pipelines/infrared/frame.hpp"
#include "pipelines/infrared/upscaler.hpp"

namespace reseda::infrared {

/// What is done to every frame of a run.
struct UpscaleRequest {
  std::int64_t samples = 1;              ///< whose mean is the result
  std::int64_t consistency = 0;          ///< rounds of back_project
  bool uncertainty = false;              ///< write a map beside every result
  bool sequence = false;                 ///< frames of a folder share noise and range
  std::optional<ValueRange> range = {};  ///< nothing: of each frame, or of its sequence
  std::string extension = {};            ///< of standard output, with dot; empty: by the kind of frame
  int jpeg_quality = 95;
  std::int64_t max_memory = std::int64_t{2} << 30;  ///< bytes
  std::string provenance = {};                      ///< how results are made, for their metadata

  /// That the request fits what the upscaler can do. @throws Error{kUsage}
  void check(const Upscaler& upscaler) const;
};

/// Part of --max-memory that calls of a network may take; frames get the rest.
std::int64_t call_bytes(std::int64_t max_memory);

/// Bytes that a run takes at most while a frame of h x w is enlarged and its neighbours are read and written.
std::int64_t memory_needed(std::int64_t height, std::int64_t width, const UpscaleRequest& request,
                           const Upscaler& upscaler);

/// The file of an output's uncertainty: "a/x.png" has "a/x.png.uncertainty.tif", so that "a/x.tif" has another.
std::filesystem::path uncertainty_file(const std::filesystem::path& output);

}  // namespace reseda::infrared
