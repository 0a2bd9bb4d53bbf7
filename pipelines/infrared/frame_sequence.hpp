#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/batch/discovery.hpp"
#include "pipelines/infrared/frame.hpp"

namespace reseda::infrared {

/// Frames that are shown one after the other: those of one folder. They share their noise and their range, so that what
/// a model adds does not flicker.
class FrameSequences {
 public:
  /// @param files  all inputs of the run, those of other shards too
  explicit FrameSequences(const std::vector<io::InputFile>& files);

  /// The name of an item's sequence: the folder of its id.
  static std::string name(const std::string& item);

  /// The robust range of up to eight of its frames, evenly spaced, taken together; read when first asked for. Frames
  /// that cannot be read do not count; nothing where none can.
  std::optional<ValueRange> range(const std::string& item);

 private:
  std::map<std::string, std::vector<std::filesystem::path>> files_;
  std::map<std::string, std::optional<ValueRange>> ranges_;
};

}  // namespace reseda::infrared
