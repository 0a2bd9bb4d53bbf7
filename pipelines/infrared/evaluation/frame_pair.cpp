#include "pipelines/infrared/evaluation/frame_pair.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "io/batch/discovery.hpp"
#include "modules/core/error.hpp"
#include "modules/signal/resize.hpp"

namespace reseda::infrared {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMapEnding = ".uncertainty.tif";

std::string without_extension(const std::string& path) { return fs::path(path).replace_extension().generic_string(); }

enum class Content { kFrames, kMaps };

/// Images below a folder by their path without extension: frames, or maps of uncertainty.
class FrameFolder {
 public:
  FrameFolder(const fs::path& folder, Content content) : folder_(folder) {
    RESEDA_REQUIRE(fs::is_directory(folder), Errc::kInput, folder.string(), ": is not a folder");
    const io::Discovery found = io::discover_inputs(
        {folder.string()}, {.recursive = true, .extensions = io::image_extensions(), .leave_out = {}});
    for (const io::InputFile& file : found.files) {
      const bool is_map = file.id.ends_with(kMapEnding);
      if (is_map != (content == Content::kMaps)) continue;
      const std::string name = is_map ? file.id.substr(0, file.id.size() - kMapEnding.size()) : file.id;
      files_[without_extension(name)].push_back(file.path);
    }
  }
  const std::map<std::string, std::vector<fs::path>>& files() const { return files_; }

  /// Takes the file of this name, or adds to the pair's problem.
  fs::path take(const std::string& name, const char* what, FramePair& pair) {
    std::vector<fs::path> found;
    for (const std::string& key : {name, name + "x4"}) {
      const auto at = files_.find(key);
      if (at == files_.end()) continue;
      found.insert(found.end(), at->second.begin(), at->second.end());
      taken_.push_back(key);
    }
    if (found.size() == 1) return found.front();
    pair.problem += (pair.problem.empty() ? "" : "; ") + std::to_string(found.size()) + " " + what +
                    " frames for it in " + folder_.string() + ", expected one of that name or with x4 after it";
    return {};
  }

  std::vector<std::string> never_taken() const {
    std::vector<std::string> out;
    for (const auto& [key, paths] : files_)
      if (std::find(taken_.begin(), taken_.end(), key) == taken_.end()) out.push_back(paths.front().string());
    return out;
  }

 private:
  fs::path folder_;
  std::map<std::string, std::vector<fs::path>> files_;
  std::vector<std::string> taken_;
};

std::string described(const GreyFrame& frame) {
  const char* type = frame.type == io::SampleType::kFloat    ? "float"
                     : frame.type == io::SampleType::kSigned ? "signed"
                                                             : "unsigned";
  return std::to_string(frame.pixels.size(1)) + "x" + std::to_string(frame.pixels.size(0)) + " pixels of " +
         std::to_string(frame.bits) + " bits " + type;
}

bool same_depth(const GreyFrame& a, const GreyFrame& b) { return a.bits == b.bits && a.type == b.type; }

GreyFrame enlarged(GreyFrame input, const at::Tensor& reference, const fs::path& file) {
  const std::int64_t height = reference.size(0), width = reference.size(1), h = input.pixels.size(0),
                     w = input.pixels.size(1);
  RESEDA_REQUIRE(h <= height && w <= width && std::abs(h * width - w * height) <= 4 * std::max(h, w), Errc::kInput,
                 file.string(), ": ", described(input), ", not a smaller frame of the reference's ", width, "x",
                 height);
  if (input.is_8bit()) {
    input.pixels = signal::resize(input.pixels.to(at::kByte), height, width, "pillow_bicubic").to(at::kFloat);
    return input;
  }
  input.pixels = signal::resize(input.pixels, height, width, "pillow_bicubic");
  if (input.type == io::SampleType::kFloat) return input;
  const double high = io::full_scale({.pixels = {}, .bits = input.bits, .type = input.type});
  input.pixels = input.pixels.round().clamp(input.type == io::SampleType::kUnsigned ? 0.0 : -high - 1, high);
  return input;
}

}  // namespace

std::vector<FramePair> match_frames(const FrameFolders& folders, std::vector<std::string>& extra) {
  const FrameFolder references(folders.reference, Content::kFrames);
  FrameFolder outputs(folders.restored, Content::kFrames);
  std::optional<FrameFolder> inputs, maps;
  if (!folders.input.empty()) inputs.emplace(folders.input, Content::kFrames);
  if (!folders.uncertainty.empty()) maps.emplace(folders.uncertainty, Content::kMaps);
  std::vector<FramePair> pairs;
  for (const auto& [name, paths] : references.files()) {
    RESEDA_REQUIRE(paths.size() == 1, Errc::kInput, paths.back().string(), ": a second reference of the name ", name);
    FramePair pair{.name = name, .reference = paths.front(), .restored = {}, .input = {}, .problem = {}};
    pair.restored = outputs.take(name, "restored", pair);
    if (inputs) pair.input = inputs->take(name, "input", pair);
    if (maps) pair.uncertainty = maps->take(name, "uncertainty", pair);
    pairs.push_back(std::move(pair));
  }
  extra = outputs.never_taken();
  return pairs;
}

GreyFrame read_grey(const fs::path& file) {
  const io::Image image = io::read_image(file);
  const std::int64_t bands = image.pixels.size(0) - (image.alpha == io::Alpha::kNone ? 0 : 1);
  RESEDA_REQUIRE(bands == 1 || bands == 3, Errc::kInput, file.string(), ": has ", bands, " bands, expected 1 or 3");
  GreyFrame frame{.pixels = image.pixels[0], .bits = image.bits, .type = image.type};
  const at::Tensor colours = image.pixels.narrow(0, 0, bands);
  if ((colours == colours[0]).all().item<bool>()) return frame;
  const at::Tensor rgb = colours.to(at::kDouble), grey = 0.114 * rgb[2] + 0.587 * rgb[1] + 0.299 * rgb[0];
  frame.pixels = (image.type == io::SampleType::kFloat ? grey : grey.round()).to(at::kFloat);
  return frame;
}

FrameTriple read_triple(const FramePair& pair) {
  FrameTriple out{.reference = read_grey(pair.reference), .restored = read_grey(pair.restored), .input = {}};
  RESEDA_REQUIRE(out.restored.pixels.sizes() == out.reference.pixels.sizes() && same_depth(out.restored, out.reference),
                 Errc::kInput, pair.restored.string(), ": ", described(out.restored), ", the reference has ",
                 described(out.reference));
  if (!pair.uncertainty.empty()) {
    out.uncertainty = read_grey(pair.uncertainty).pixels;
    RESEDA_REQUIRE(out.uncertainty.sizes() == out.reference.pixels.sizes(), Errc::kInput, pair.uncertainty.string(),
                   ": ", out.uncertainty.size(1), "x", out.uncertainty.size(0), " pixels, the reference has ",
                   out.reference.pixels.size(1), "x", out.reference.pixels.size(0));
  }
  if (pair.input.empty()) return out;
  const GreyFrame input = read_grey(pair.input);
  RESEDA_REQUIRE(same_depth(input, out.reference), Errc::kInput, pair.input.string(), ": ", described(input),
                 ", the reference has ", described(out.reference));
  out.input = enlarged(input, out.reference.pixels, pair.input);
  return out;
}

}  // namespace reseda::infrared
