#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "io/checkpoint/safetensors.hpp"
#include "io/record/json.hpp"
#include "io/record/json_lines.hpp"
#include "pipelines/common/model_files.hpp"
#include "pipelines/infrared/infrared_model.hpp"
#include "pipelines/infrared/interpolation.hpp"
#include "pipelines/restoration/low_resolution.hpp"

/// A thermal frame of 640 x 512 pixels enlarged four times in one call of the guide: by the upscaler of `reseda
/// infrared upscale`, and by the same network as it is written with LibTorch (float32, channels first, an operation at
/// a time) on the same tiles, one after the other.
///   infrared_bench [MODEL [ROUNDS [TILE [THREADS]]]]
/// Sides alternate; of each the median of the rounds counts, and of the ratio the median of the rounds' ratios: by the
/// wall clock and by the processor (user and system), which other programs disturb less. Pillow's bicubic stands beside
/// them. Prints one JSON line.
namespace {

using namespace reseda;

constexpr std::int64_t kHeight = 512, kWidth = 640;

/// The guide as a module of LibTorch would compute it, weights taken from a model file.
class PlainGuide {
 public:
  explicit PlainGuide(const std::filesystem::path& file) {
    const StateDict all = io::read_safetensors(file);
    const bool joined = all.metadata.contains("reseda.infrared.guide");
    const std::string prefix = joined ? "guide." : "";
    for (const auto& [name, tensor] : all)
      if (name.starts_with(prefix)) weights_.add(name.substr(prefix.size()), tensor.to(at::kFloat));
    const ConfigNode config =
        io::parse_json(all.metadata.at(joined ? "reseda.infrared.guide" : "reseda.restoration"), "config");
    time_ = std::stod(config.find("process")->find("steps")->scalar()) - 1;
  }

  at::Tensor operator()(const at::Tensor& low) const {
    const std::vector<std::int64_t> size{4 * low.size(2), 4 * low.size(3)};
    const at::Tensor y = at::upsample_bicubic2d(low, size, false, std::nullopt, std::nullopt);
    const at::Tensor small = at::pixel_unshuffle(y, 4), seen = at::cat({small, small}, 1);
    const at::Tensor when = at::silu(linear("embed", embedding(weights_.at("embed.weight").size(1))));
    at::Tensor h = conv("first", seen);
    for (int i = 0; weights_.contains(block(i) + "widen.weight"); ++i) {
      const std::vector<at::Tensor> parts = linear(block(i) + "modulate", when).chunk(2, 1);
      const auto map = [](const at::Tensor& values) { return values.unsqueeze(-1).unsqueeze(-1); };
      const at::Tensor wide = conv(block(i) + "widen", h) * (1 + map(parts[0])) + map(parts[1]);
      h = h + conv(block(i) + "narrow", at::relu(wide));
    }
    return y - at::pixel_shuffle(conv("last", h) + conv("skip", seen), 4);
  }

 private:
  static std::string block(int i) { return "blocks." + std::to_string(i) + "."; }
  at::Tensor embedding(std::int64_t channels) const {
    const auto half = static_cast<double>(channels / 2);
    const at::Tensor angles = time_ * at::exp(at::arange(channels / 2, at::kFloat) * (-std::log(1e4) / half));
    return at::cat({angles.cos(), angles.sin()}).unsqueeze(0);
  }
  at::Tensor linear(const std::string& name, const at::Tensor& x) const {
    return at::linear(x, weights_.at(name + ".weight"), weights_.at(name + ".bias"));
  }
  at::Tensor conv(const std::string& name, const at::Tensor& x) const {
    return at::conv2d(x, weights_.at(name + ".weight"), weights_.at(name + ".bias"), 1, 1);
  }

  StateDict weights_;
  double time_ = 0;
};

/// A frame tile by tile, blended as ours are.
at::Tensor by_tiles(const PlainGuide& guide, const at::Tensor& low, const infrared::TileNetworkTraits& traits,
                    const diffusion::Tiling& tiling) {
  const std::int64_t s = traits.scale;
  const diffusion::TileCut rows = diffusion::cut_axis(low.size(2), tiling),
                           columns = diffusion::cut_axis(low.size(3), tiling);
  const at::Tensor sum = at::zeros({1, 1, s * low.size(2), s * low.size(3)}), total = at::zeros_like(sum);
  const auto window = [&](const diffusion::TileCut& cut, std::int64_t start) {
    return infrared::blend_window(s * cut.tile, s * traits.margin, s * traits.blend, start == cut.starts.front(),
                                  start == cut.starts.back());
  };
  for (const std::int64_t top : rows.starts)
    for (const std::int64_t left : columns.starts) {
      const at::Tensor tile = guide(low.narrow(2, top, rows.tile).narrow(3, left, columns.tile).contiguous());
      const at::Tensor weight = window(rows, top).unsqueeze(1) * window(columns, left);
      const auto place = [&](const at::Tensor& image) {
        return image.narrow(2, s * top, s * rows.tile).narrow(3, s * left, s * columns.tile);
      };
      place(sum).add_(tile * weight);
      place(total).add_(weight);
    }
  return sum / total;
}

/// Warm shapes of every size on a gradient, with the noise of a sensor, in [-1, 1].
at::Tensor made_frame() {
  CounterNoise noise(0);
  at::Tensor frame = 0.05 * noise.normal({"bench", "pixels"}, {1, 1, kHeight, kWidth});
  for (const std::int64_t cells : {4, 16, 64})
    frame += 0.4 / std::sqrt(static_cast<double>(cells)) *
             restoration::enlarge(noise.normal({"bench", "shapes"}, {1, 1, cells, cells * kWidth / kHeight}),
                                  kHeight / cells);
  return frame.clamp(-1, 1);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Seconds of a side, one value a round.
struct Side {
  std::vector<double> wall, processor;
  at::Tensor result;

  void run(const std::function<at::Tensor()>& make) {
    const auto start = std::chrono::steady_clock::now();
    const double processor_start = processor_seconds();
    result = make();
    processor.push_back(processor_seconds() - processor_start);
    wall.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
};

double median_ratio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
  return median(ratios);
}

}  // namespace

int main(int argc, char** argv) {
  const c10::InferenceMode inference;
  const std::filesystem::path file = app::find_model(argc > 1 ? argv[1] : "infrared-x4");
  const int rounds = argc > 2 ? std::max(1, std::atoi(argv[2])) : 5;
  at::set_num_threads(argc > 4 ? std::atoi(argv[4]) : 1);
  const infrared::InfraredModel model = infrared::InfraredModel::load(file);
  const infrared::TileNetworkTraits traits = model.traits({});
  const diffusion::Tiling tiling = infrared::choose_tiling(traits, argc > 3 ? std::atoll(argv[3]) : 0, 900 << 20);
  const infrared::TiledUpscaler ours(model.on_tiles({}), traits, tiling);
  const infrared::Interpolation bicubic("pillow_bicubic", 4);
  const PlainGuide plain(file);
  const at::Tensor low = made_frame();
  CounterNoise noise(0);
  const infrared::UpscaleContext context{noise, "bench"};

  Side libtorch, own, pillow;
  for (int i = 0; i < rounds; ++i) {
    libtorch.run([&] { return by_tiles(plain, low, traits, tiling); });
    own.run([&] { return ours.run(low, context); });
    pillow.run([&] { return bicubic.run(low, context); });
  }
  const io::JsonObject line = io::JsonObject()
                                  .add("bench", "infrared guide, 640 x 512 four times larger")
                                  .add("model", model.config().name)
                                  .add("threads", at::get_num_threads())
                                  .add("rounds", rounds)
                                  .add("tile", tiling.tile)
                                  .add("libtorch_seconds", median(libtorch.wall))
                                  .add("reseda_seconds", median(own.wall))
                                  .add("bicubic_seconds", median(pillow.wall))
                                  .add("ratio", median_ratio(libtorch.wall, own.wall))
                                  .add("libtorch_processor_seconds", median(libtorch.processor))
                                  .add("reseda_processor_seconds", median(own.processor))
                                  .add("bicubic_processor_seconds", median(pillow.processor))
                                  .add("processor_ratio", median_ratio(libtorch.processor, own.processor))
                                  .add("largest_difference", (libtorch.result - own.result).abs().max().item<double>());
  std::printf("%s\n", line.line().c_str());
  return 0;
}
