#include "pipelines/infrared/frame_sequence.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "modules/core/error.hpp"

namespace reseda::infrared {
namespace {

constexpr std::size_t kMostFrames = 8;

}  // namespace

FrameSequences::FrameSequences(const std::vector<io::InputFile>& files) {
  for (const io::InputFile& file : files) files_[name(file.id)].push_back(file.path);
}

std::string FrameSequences::name(const std::string& item) {
  const std::string folder = std::filesystem::path(item).parent_path().generic_string();
  return folder.empty() ? "." : folder;
}

std::optional<ValueRange> FrameSequences::range(const std::string& item) {
  const std::string sequence = name(item);
  if (const auto known = ranges_.find(sequence); known != ranges_.end()) return known->second;
  const std::vector<std::filesystem::path>& files = files_[sequence];
  const std::size_t count = std::min(kMostFrames, files.size());
  std::vector<at::Tensor> values;
  for (std::size_t i = 0; i < count; ++i) {
    const std::filesystem::path& file = files[count == 1 ? 0 : i * (files.size() - 1) / (count - 1)];
    try {
      const io::Image image = io::read_image(file);
      if (image.alpha == io::Alpha::kNone) values.push_back(image.pixels.flatten());
    } catch (const Error&) {  // its own turn reports it
      continue;
    }
  }
  return ranges_[sequence] = values.empty() ? std::nullopt : std::optional(robust_range(at::cat(values)));
}

}  // namespace reseda::infrared
