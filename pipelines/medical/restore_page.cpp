#include "pipelines/medical/restore_page.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "io/record/html_report.hpp"
#include "io/record/png.hpp"
#include "modules/core/error.hpp"

namespace reseda::medical {
namespace {

/// Stacks of fewer slices are too flat for a picture across them.
constexpr std::int64_t kLeastDepth = 24;

/// A plane of a volume, with the size of its pixels.
struct Plane {
  at::Tensor pixels;  ///< [H,W]
  double tall_mm = 1, wide_mm = 1;
};

/// The middle one of the slices that the request restores.
std::int64_t middle_slice(const RestoreRequest& request, std::int64_t depth) {
  std::vector<std::int64_t> restored;
  for (std::int64_t i = 0; i < depth; ++i)
    if (request.slices.holds(i)) restored.push_back(i);
  return restored.empty() ? depth / 2 : restored[restored.size() / 2];
}

/// A slice, or the middle plane across h where what changed lies along d; with the first slice at the bottom there.
Plane plane_of(const at::Tensor& voxels, const io::Vector3& spacing_mm, std::int64_t slice, bool through) {
  if (!through) return {voxels[slice], spacing_mm[1], spacing_mm[0]};
  return {voxels.select(1, voxels.size(1) / 2).flip(0), spacing_mm[2], spacing_mm[0]};
}

/// With square pixels of the smaller side, by repeating rows or columns; not larger than `most` pixels a side.
at::Tensor squared(const Plane& plane, std::int64_t most = 768) {
  const double side = std::min(plane.tall_mm, plane.wide_mm);
  double height = static_cast<double>(plane.pixels.size(0)) * plane.tall_mm / side,
         width = static_cast<double>(plane.pixels.size(1)) * plane.wide_mm / side;
  const double shrink = std::min(1.0, static_cast<double>(most) / std::max(height, width));
  return at::upsample_nearest2d(plane.pixels.unsqueeze(0).unsqueeze(0),
                                {std::max<std::int64_t>(1, std::llround(height * shrink)),
                                 std::max<std::int64_t>(1, std::llround(width * shrink))})[0][0];
}

io::Picture picture(const at::Tensor& pixels, const DisplayWindow& window, const std::string& caption) {
  const at::Tensor bytes =
      ((pixels - window.low) * (255.0 / (window.high - window.low))).round().clamp(0, 255).to(at::kByte).contiguous();
  const auto* data = bytes.const_data_ptr<std::uint8_t>();
  return {io::encode_png({data, static_cast<std::size_t>(bytes.numel())}, static_cast<std::size_t>(bytes.size(1)),
                         static_cast<std::size_t>(bytes.size(0)), io::PngColor::kGray),
          caption};
}

std::string window_text(const DisplayWindow& window, const std::string& units) {
  return window.name + ", " + short_number(window.low) + " to " + short_number(window.high) + " " + units;
}

/// The noise of a volume in words, "" where it cannot be told.
std::string noise_text(const at::Tensor& voxels, const OpenedScan& scan) {
  try {
    const metrics::NoiseLevel level = blind_noise_level(voxels, scan.volume.padding, scan.modality);
    return short_number(level.sigma) + " (" + short_number(level.low) + " to " + short_number(level.high) + ")";
  } catch (const Error&) {
    return "unknown: slices are too small";
  }
}

/// Means of a volume x before and y after, and what y - x is like.
struct Change {
  double before = 0, after = 0;  ///< means
  double deviation = 0;          ///< of y - x
  std::int64_t voxels = 0;       ///< with y != x
};

/// Summed in the order of the voxels: without a copy, and the same for any number of threads.
Change change_of(const at::Tensor& before, const at::Tensor& after) {
  RESEDA_INVARIANT(before.sizes() == after.sizes());
  const at::Tensor from = before.contiguous(), to = after.contiguous();
  const float *x = from.const_data_ptr<float>(), *y = to.const_data_ptr<float>();
  const auto count = static_cast<double>(before.numel());
  Change change;
  double squares = 0;
  for (std::int64_t i = 0; i < before.numel(); ++i) {
    const double d = static_cast<double>(y[i]) - x[i];
    change.before += x[i];
    change.after += y[i];
    squares += d * d;
    change.voxels += d != 0 ? 1 : 0;
  }
  const double sum = change.after - change.before;
  change.deviation = std::sqrt(std::max(squares - sum * sum / count, 0.0) / std::max(count - 1, 1.0));
  change.before /= count;
  change.after /= count;
  return change;
}

void add_figures(io::HtmlReport& page, const OpenedScan& before, const Restoration& after) {
  const Change change = change_of(before.volume.voxels, after.voxels);
  page.heading("In numbers");
  page.table({"", "input", "restored"},
             {{"noise, measured (95 % interval), " + before.units, noise_text(before.volume.voxels, before),
               noise_text(after.voxels, before)},
              {"mean, " + before.units, short_number(change.before), short_number(change.after)}});
  page.facts(
      {{"mean change", short_number(change.after - change.before) + " " + before.units},
       {"standard deviation of the change", short_number(change.deviation) + " " + before.units},
       {"voxels changed", std::to_string(change.voxels) + " of " + std::to_string(before.volume.voxels.numel())}});
}

void add_denoised(io::HtmlReport& page, const OpenedScan& before, const Restoration& after, std::int64_t slice) {
  const double spread = std::max({3 * after.noise.sigma, 1e-6 * (after.range.high - after.range.low)});
  const DisplayWindow difference{"difference", -spread, spread};
  for (const bool through : {false, true}) {
    if (through && before.volume.voxels.size(0) < kLeastDepth) continue;
    const io::Vector3& spacing = before.volume.geometry.spacing_mm;
    const at::Tensor x = squared(plane_of(before.volume.voxels, spacing, slice, through)),
                     y = squared(plane_of(after.voxels, spacing, slice, through));
    page.heading(through ? "Middle plane across the slices" : "Slice " + std::to_string(slice + 1));
    for (const DisplayWindow& window : display_windows(before.volume.voxels, before.modality))
      page.pictures({picture(x, window, "input: " + window_text(window, before.units)),
                     picture(y, window, "restored: " + window_text(window, before.units)),
                     picture(y - x, difference, "restored - input: " + window_text(difference, before.units))});
  }
}

/// The input by repeated pixels beside the result, on the result's grid.
void add_enlarged(io::HtmlReport& page, const OpenedScan& before, const Restoration& after, bool through) {
  const io::Vector3& spacing = before.volume.geometry.spacing_mm;
  const Plane x = plane_of(before.volume.voxels, spacing, before.volume.voxels.size(0) / 2, through);
  Plane y = plane_of(after.voxels, spacing, after.voxels.size(0) / 2, through);
  y.tall_mm /= 2;
  if (!through) y.wide_mm /= 2;
  page.heading(through ? "Middle plane across the slices" : "Middle of the middle slice");
  const auto shown = [&](const Plane& plane) {
    if (through) return squared(plane);
    const std::int64_t h = plane.pixels.size(0), w = plane.pixels.size(1);
    const at::Tensor cut =
        squared({plane.pixels.narrow(0, h / 4, h / 2).narrow(1, w / 4, w / 2), plane.tall_mm, plane.wide_mm});
    return at::upsample_nearest2d(cut.unsqueeze(0).unsqueeze(0), {512, 512 * cut.size(1) / cut.size(0)})[0][0];
  };
  for (const DisplayWindow& window : display_windows(before.volume.voxels, before.modality))
    page.pictures({picture(shown(x), window, "input: " + window_text(window, before.units)),
                   picture(shown(y), window, "restored: " + window_text(window, before.units))});
}

}  // namespace

std::vector<DisplayWindow> display_windows(const at::Tensor& voxels, Modality modality) {
  if (modality == Modality::kCt) return {{"soft tissue", -160, 240}, {"lung", -1350, 150}};
  const at::Tensor middle = voxels[voxels.size(0) / 2].flatten();
  const auto rank = static_cast<std::int64_t>(0.995 * static_cast<double>(middle.numel() - 1));
  const double high = std::get<0>(middle.kthvalue(rank + 1)).item<double>();
  return {{"whole range", 0, high > 0 ? high : 1}};
}

std::string restore_page(const std::string& item, const OpenedScan& before, const Restoration& after,
                         const RestoreRequest& request, const std::vector<std::pair<std::string, std::string>>& facts) {
  io::HtmlReport page("Restored: " + item);
  page.paragraph("For research, not for diagnosis. Pictures show the middle of what was restored.");
  page.facts(facts);
  if (request.enlarges()) {
    add_enlarged(page, before, after, request.task == "sr-through");
  } else {
    add_figures(page, before, after);
    add_denoised(page, before, after, middle_slice(request, before.volume.voxels.size(0)));
  }
  return page.page();
}

}  // namespace reseda::medical
