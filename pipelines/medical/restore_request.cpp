#include "pipelines/medical/restore_request.hpp"

#include <algorithm>
#include <charconv>

#include "io/volume/volume.hpp"
#include "modules/core/error.hpp"

namespace reseda::medical {
namespace {

constexpr std::int64_t kProgramBytes = std::int64_t{350} << 20;
/// Bytes of a voxel of the input, measured as the most that is held at once: see docs/medical.md.
constexpr std::int64_t kDenoiseBytes = 16, kInPlaneBytes = 80, kThroughBytes = 48;
constexpr std::int64_t kReportBytes = 4, kDifferenceBytes = 8, kMaskBytes = 6, kDeviationBytes = 20, kWaitingBytes = 12;

/// What each further thread holds.
constexpr std::int64_t kThreadBytes = std::int64_t{80} << 20;

/// Red-diff: bytes of a pixel of the largest plane that the network sees, and seconds of a pixel of a call.
constexpr std::int64_t kPriorBytes = 2000;
constexpr double kPriorSeconds = 2e-5;

std::int64_t slice_number(const std::string& text, const std::string& whole) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  RESEDA_REQUIRE(error == std::errc() && end == text.data() + text.size() && number >= 1, Errc::kUsage,
                 "--slices must be A:B with slices counted from 1, got '", whole, "'");
  return number;
}

std::int64_t memory_of_one_thread(const std::array<std::int64_t, 3>& size, const RestoreRequest& request) {
  std::int64_t each = request.task == "denoise"      ? kDenoiseBytes
                      : request.task == "sr-inplane" ? kInPlaneBytes
                                                     : kThroughBytes;
  if (!request.report.empty()) each += kReportBytes;
  if (!request.difference.empty()) each += kDifferenceBytes;
  if (!request.mask.empty()) each += kMaskBytes;
  if (!request.deviation.empty()) each += kDeviationBytes;
  if (request.items > 1) each += request.enlarges() ? 4 * kWaitingBytes : kWaitingBytes;
  const std::int64_t network = request.asks_prior() ? prior_work(size, request).pixels * kPriorBytes : 0;
  return kProgramBytes + network + size[0] * size[1] * size[2] * each;
}

}  // namespace

SliceRange parse_slices(const std::string& text) {
  if (text.empty()) return {};
  const std::size_t colon = text.find(':');
  const std::string first = text.substr(0, colon), last = colon == text.npos ? first : text.substr(colon + 1);
  SliceRange range;
  if (!first.empty()) range.first = slice_number(first, text);
  if (!last.empty()) range.last = slice_number(last, text);
  RESEDA_REQUIRE(!range.last || *range.last >= range.first, Errc::kUsage, "--slices must rise, got '", text, "'");
  return range;
}

std::int64_t memory_needed(const std::array<std::int64_t, 3>& size, const RestoreRequest& request) {
  return memory_of_one_thread(size, request) + (threads_used(size, request) - 1) * kThreadBytes;
}

std::int64_t threads_used(const std::array<std::int64_t, 3>& size, const RestoreRequest& request) {
  if (request.asks_prior()) return 1;
  const std::int64_t planes = request.task == "sr-through" ? size[1] : size[0];
  std::int64_t most = std::min(request.restorer.at_once, planes);
  if (request.max_memory > 0)
    most = std::min(most, 1 + (request.max_memory - memory_of_one_thread(size, request)) / kThreadBytes);
  return std::max<std::int64_t>(most, 1);
}

PriorWork prior_work(const std::array<std::int64_t, 3>& size, const RestoreRequest& request) {
  const auto& [depth, height, width] = size;
  std::int64_t planes = 0;
  for (std::int64_t i = 0; i < depth; ++i) planes += request.slices.holds(i) ? 1 : 0;
  PriorWork work{.calls = planes, .pixels = height * width};
  double all = static_cast<double>(planes * work.pixels);
  if (request.task == "sr-inplane") {
    work.pixels *= 4;
    all *= 4;
  } else if (request.task == "sr-through") {
    work = {.calls = height + width, .pixels = 2 * depth * std::max(height, width)};
    all *= 4;  // twice the voxels, along two axes
  }
  work.calls *= request.prior.steps;
  work.seconds = all * static_cast<double>(request.prior.steps) * kPriorSeconds;
  return work;
}

std::filesystem::path volume_or_folder(const std::filesystem::path& name) {
  if (name.empty() || names_folder(name) || !io::volume_extension(name).empty()) return name;
  return name / "";
}

bool names_folder(const std::filesystem::path& place) { return !place.empty() && !place.has_filename(); }

std::filesystem::path companion_place(const std::filesystem::path& place, const std::string& item, std::size_t items) {
  if (place.empty() || items <= 1) return place;
  std::string name = "-" + item;
  std::replace(name.begin(), name.end(), '/', '-');
  if (names_folder(place)) return std::filesystem::path(place.parent_path().string() + name) / "";
  const std::string whole = place.filename().string();
  const std::size_t volume = io::volume_extension(place).size();
  const std::size_t dot = whole.size() - (volume > 0 ? volume : place.extension().string().size());
  return place.parent_path() / (whole.substr(0, dot) + name + whole.substr(dot));
}

}  // namespace reseda::medical
