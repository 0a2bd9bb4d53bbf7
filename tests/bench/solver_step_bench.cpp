#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "modules/core/noise.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/nets/network.hpp"

/// What a sampler's step costs besides the network call, as a share of that call, at 256 x 256: both sides in one
/// sitting, the fastest of several runs each.
namespace {

using namespace reseda;

/// The same estimates at every call, at no cost.
class Fixed final : public diffusion::Denoiser {
 public:
  Fixed(const at::Tensor& x0, const at::Tensor& eps) : estimates_{x0, eps, x0} {}
  diffusion::Estimates operator()(const at::Tensor&, double, const diffusion::Condition&) const override {
    return estimates_;
  }

 private:
  diffusion::Estimates estimates_;
};

double fastest(int runs, const std::function<void()>& run) {
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

ConfigNode node(const std::vector<std::pair<std::string, std::string>>& keys) {
  ConfigNode out = ConfigNode::map();
  for (const auto& [key, value] : keys) out.set(key, value);
  return out;
}

void steps_of(const char* process_name, const diffusion::Process& process, const std::vector<ConfigNode>& samplers,
              const at::Tensor& y, const diffusion::Denoiser& fixed, double call) {
  CounterNoise noise(0);
  for (const ConfigNode& config : samplers) {
    const auto sampler = diffusion::make_sampler(config);
    const double seconds = fastest(5, [&] {
      diffusion::SampleContext context{noise, "bench", {}, {}};
      sampler->run(y, process, fixed, context);
    });
    const std::int64_t calls = sampler->network_calls();  // -1: one for each step of the process
    const double step = seconds / static_cast<double>(calls > 0 ? calls : process.steps());
    std::printf("%-10s %-36s step %7.2f ms   %.3f %% of a call\n", process_name, config.to_json().c_str(), 1e3 * step,
                100 * step / call);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const c10::InferenceMode inference;
  at::set_num_threads(argc > 1 ? std::atoi(argv[1]) : 1);
  CounterNoise noise(0);
  const at::Tensor y = noise.normal({"bench", "y"}, {1, 3, 256, 256});
  const Fixed fixed(0.5 * y, -0.25 * y);

  const auto network = nets::make_network(node({{"name", "resfusion_unet"}}));
  const at::Tensor t = at::full({1}, 10.0F);
  const double call = fastest(3, [&] { network->forward(y, y, t); });
  std::printf("threads %d, one call of resfusion_unet (dim 64) at 3 x 256 x 256: %.0f ms\n", at::get_num_threads(),
              1e3 * call);

  std::vector<ConfigNode> general;
  for (const char* name : {"bridge_ddim", "dpm_solver_pp", "unipc", "ghvb"})
    general.push_back(node({{"name", name}, {"steps", "20"}}));
  general.push_back(node({{"name", "dpm_solver_pp"}, {"steps", "20"}, {"eta", "1"}}));
  general.push_back(node({{"name", "heun"}, {"steps", "10"}}));
  std::vector<ConfigNode> with_official = general;
  with_official.push_back(node({{"name", "rddm_ddim"}, {"steps", "20"}}));
  steps_of("rddm", *diffusion::make_process(node({{"name", "rddm"}})), with_official, y, fixed, call);
  with_official = general;
  with_official.push_back(node({{"name", "resfusion_ancestral"}}));
  steps_of("resfusion", *diffusion::make_process(node({{"name", "resfusion"}, {"steps", "100"}})), with_official, y,
           fixed, call);
}
