#include "modules/inverse/operators/ray_sums.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "modules/core/parallel.hpp"

namespace reseda::inverse {
namespace {

/// Images that are walked together, value by value; the rest is walked one by one.
constexpr std::int64_t kTogether = 8;
/// Parts in which views are spread, each with images of its own: the sum of the parts does not depend on threads.
constexpr std::int64_t kParts = 8;

constexpr std::int64_t kBilinear = 0, kZeros = 0;
/// Views that at::grid_sampler works on together, and values that their samples may take.
constexpr std::int64_t kViews = 8, kValues = std::int64_t{1} << 24;

struct Grid {
  std::int64_t height, width, samples;
};

/// Narrows the places [first, last] to those where start + place * step lies within (-1, side).
void narrow(double start, double step, std::int64_t side, double& first, double& last) {
  const double low = -1.0 - start, high = static_cast<double>(side) - start;
  if (std::abs(step) < 1e-12) {
    if (low >= 0 || high <= 0) last = first - 1;
    return;
  }
  first = std::max(first, std::min(low / step, high / step));
  last = std::min(last, std::max(low / step, high / step));
}

/// Calls tap(pixel, weight) for the pixels around each sample of a ray that are inside the image.
template <class Tap>
void walk_ray(const double* line, const Grid& grid, const Tap& tap) {
  const double x0 = line[0], y0 = line[1], dx = line[2], dy = line[3];
  const double reach = static_cast<double>(grid.samples - 1) / 2;
  double first = -reach, last = reach;
  narrow(x0, dx, grid.width, first, last);
  narrow(y0, dy, grid.height, first, last);
  // One sample more on either side: whatever rounding says of the limits, each sample is looked at by itself.
  const auto begin = std::max<std::int64_t>(static_cast<std::int64_t>(std::floor(first + reach)), 0);
  const auto end = std::min<std::int64_t>(static_cast<std::int64_t>(std::ceil(last + reach)) + 1, grid.samples);
  for (std::int64_t j = begin; j < end; ++j) {
    const double tau = static_cast<double>(j) - reach, x = x0 + tau * dx, y = y0 + tau * dy;
    // Samples start above -2, where adding 2 makes truncation a floor.
    const auto column = static_cast<std::int64_t>(x + 2) - 2, row = static_cast<std::int64_t>(y + 2) - 2;
    const double wx = x - static_cast<double>(column), wy = y - static_cast<double>(row);
    const std::int64_t pixel = row * grid.width + column;
    const bool west = column >= 0 && column < grid.width, east = column >= -1 && column + 1 < grid.width;
    if (row >= 0 && row < grid.height) {
      if (west) tap(pixel, (1 - wx) * (1 - wy));
      if (east) tap(pixel + 1, wx * (1 - wy));
    }
    if (row >= -1 && row + 1 < grid.height) {
      if (west) tap(pixel + grid.width, (1 - wx) * wy);
      if (east) tap(pixel + grid.width + 1, wx * wy);
    }
  }
}

/// One ray's sum for Count images whose values of a pixel lie side by side.
template <class T, std::int64_t Count>
void gather(const double* line, const Grid& grid, const T* image, T* sums) {
  T all[Count] = {};
  walk_ray(line, grid, [&](std::int64_t pixel, double weight) {
    const T w = static_cast<T>(weight);
    for (std::int64_t n = 0; n < Count; ++n) all[n] += w * image[pixel * Count + n];
  });
  std::copy_n(all, Count, sums);
}

template <class T, std::int64_t Count>
void spread(const double* line, const Grid& grid, const T* sums, T* image) {
  T all[Count];
  std::copy_n(sums, Count, all);
  walk_ray(line, grid, [&](std::int64_t pixel, double weight) {
    const T w = static_cast<T>(weight);
    for (std::int64_t n = 0; n < Count; ++n) image[pixel * Count + n] += w * all[n];
  });
}

/// [H W,Count] -> [V D,Count]
template <class T, std::int64_t Count>
at::Tensor gather_all(const at::Tensor& lines, const Grid& grid, const at::Tensor& images) {
  at::Tensor sums = at::empty({lines.size(0), Count}, images.options());
  const double* line = lines.const_data_ptr<double>();
  const T* image = images.const_data_ptr<T>();
  T* out = sums.mutable_data_ptr<T>();
  parallel_for(0, lines.size(0), 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t ray = begin; ray < end; ++ray) gather<T, Count>(line + 4 * ray, grid, image, out + Count * ray);
  });
  return sums;
}

/// [V D,Count] -> [H W,Count]
template <class T, std::int64_t Count>
at::Tensor spread_all(const at::Tensor& lines, const Grid& grid, const at::Tensor& sums) {
  const std::int64_t parts = std::min(kParts, lines.size(0)), pixels = grid.height * grid.width;
  at::Tensor images = at::zeros({parts, pixels, Count}, sums.options());
  const double* line = lines.const_data_ptr<double>();
  const T* in = sums.const_data_ptr<T>();
  T* out = images.mutable_data_ptr<T>();
  parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part)
      for (std::int64_t ray = part * lines.size(0) / parts; ray < (part + 1) * lines.size(0) / parts; ++ray)
        spread<T, Count>(line + 4 * ray, grid, in + Count * ray, out + part * pixels * Count);
  });
  return images.sum(0);
}

enum class Way { kGather, kSpread };

template <class T, std::int64_t Count>
at::Tensor one_block(Way way, const at::Tensor& lines, const Grid& grid, const at::Tensor& block) {
  const at::Tensor side_by_side = block.t().contiguous();
  const at::Tensor out = way == Way::kGather ? gather_all<T, Count>(lines, grid, side_by_side)
                                             : spread_all<T, Count>(lines, grid, side_by_side);
  return out.t();
}

/// Takes and gives a row of values for each image.
template <class T>
at::Tensor by_loops(Way way, const RayGeometry& rays, const at::Tensor& rows) {
  const at::Tensor lines = rays.lines().reshape({-1, 4}).contiguous();
  const Grid grid{rays.shape().height, rays.shape().width, rays.samples()};
  std::vector<at::Tensor> blocks;
  std::int64_t n = 0;
  for (; n + kTogether <= rows.size(0); n += kTogether)
    blocks.push_back(one_block<T, kTogether>(way, lines, grid, rows.slice(0, n, n + kTogether)));
  for (; n < rows.size(0); ++n) blocks.push_back(one_block<T, 1>(way, lines, grid, rows.slice(0, n, n + 1)));
  return blocks.empty() ? at::zeros({0, way == Way::kGather ? lines.size(0) : rays.shape().pixels()}, rows.options())
                        : at::cat(blocks);
}

at::Tensor loops(Way way, const RayGeometry& rays, const at::Tensor& rows) {
  return rows.scalar_type() == at::kDouble ? by_loops<double>(way, rays, rows) : by_loops<float>(way, rays, rows);
}

/// Pixel coordinates as at::grid_sampler numbers them without align_corners, -1 .. 1 over the image's outer edges.
at::Tensor sampler_axis(const at::Tensor& at_centre, const at::Tensor& step, const at::Tensor& tau, std::int64_t side) {
  const double scale = 2 / static_cast<double>(side);
  const auto typed = [&](const at::Tensor& values) { return constant_like(values, tau).unsqueeze(2); };
  return at::addcmul(typed((at_centre + 0.5) * scale - 1), typed(step * scale), tau);
}

/// The samples on the rays of some views, [views,D,samples,2].
at::Tensor sample_points(const RayGeometry& rays, const at::Tensor& lines, const at::Tensor& like) {
  const double reach = static_cast<double>(rays.samples() - 1) / 2;
  const at::Tensor tau = constant_like(at::arange(rays.samples(), at::kDouble) - reach, like);
  return at::stack({sampler_axis(lines.select(2, 0), lines.select(2, 2), tau, rays.shape().width),
                    sampler_axis(lines.select(2, 1), lines.select(2, 3), tau, rays.shape().height)},
                   3);
}

/// Calls work(lines of some views, first view, first image, images) for blocks whose samples fit into memory.
template <class Work>
void in_blocks(const RayGeometry& rays, std::int64_t images, const Work& work) {
  const at::Tensor lines = rays.lines();
  const std::int64_t views = std::min(kViews, rays.views());
  const std::int64_t each = std::max<std::int64_t>(kValues / (views * rays.detectors() * rays.samples()), 1);
  for (std::int64_t view = 0; view < rays.views(); view += views)
    for (std::int64_t image = 0; image < images; image += each)
      work(lines.slice(0, view, view + views), view, image, std::min(each, images - image));
}

}  // namespace

at::Tensor ray_sums(const RayGeometry& rays, const at::Tensor& images) {
  if (!images.is_cpu() || (c10::GradMode::is_enabled() && images.requires_grad()))
    return sampled_ray_sums(rays, images);
  return loops(Way::kGather, rays, images.flatten(1))
      .reshape({images.size(0), rays.views(), rays.detectors()})
      .transpose(1, 2);
}

at::Tensor ray_sums_transpose(const RayGeometry& rays, const at::Tensor& sums) {
  if (!sums.is_cpu()) return sampled_ray_sums_transpose(rays, sums);
  return loops(Way::kSpread, rays, sums.transpose(1, 2).reshape({sums.size(0), -1}))
      .reshape({sums.size(0), rays.shape().height, rays.shape().width});
}

at::Tensor sampled_ray_sums(const RayGeometry& rays, const at::Tensor& images) {
  std::vector<at::Tensor> blocks, rows;
  in_blocks(rays, images.size(0), [&](const at::Tensor& lines, std::int64_t, std::int64_t image, std::int64_t count) {
    const at::Tensor some = images.slice(0, image, image + count).unsqueeze(0).expand({lines.size(0), -1, -1, -1});
    const at::Tensor points = sample_points(rays, lines, images);
    blocks.push_back(at::grid_sampler(some, points, kBilinear, kZeros, /*align_corners=*/false).sum(3));
    if (image + count < images.size(0)) return;
    rows.push_back(at::cat(blocks, 1));
    blocks.clear();
  });
  return rows.empty() ? at::zeros({0, rays.detectors(), rays.views()}, images.options())
                      : at::cat(rows, 0).permute({1, 2, 0});
}

at::Tensor sampled_ray_sums_transpose(const RayGeometry& rays, const at::Tensor& sums) {
  const at::Tensor rows = sums.permute({2, 0, 1});
  at::Tensor out = at::zeros({sums.size(0), rays.shape().height, rays.shape().width}, sums.options());
  in_blocks(
      rays, sums.size(0), [&](const at::Tensor& lines, std::int64_t view, std::int64_t image, std::int64_t count) {
        const std::int64_t views = lines.size(0);
        const at::Tensor some = rows.slice(0, view, view + views).slice(1, image, image + count).unsqueeze(3);
        const at::Tensor no_image =
            at::zeros({1, 1, 1, 1}, sums.options()).expand({views, count, rays.shape().height, rays.shape().width});
        const at::Tensor spread = std::get<0>(at::grid_sampler_2d_backward(
            some.expand({-1, -1, -1, rays.samples()}), no_image, sample_points(rays, lines, sums), kBilinear, kZeros,
            /*align_corners=*/false, {true, false}));
        out.slice(0, image, image + count).add_(spread.sum(0));
      });
  return out;
}

}  // namespace reseda::inverse
