#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <vector>

#include "modules/diffusion/processes/ddpm.hpp"
#include "modules/inverse/solvers/solver_times.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::golden {
namespace {

/// The json says it in words.
constexpr Tolerance kSinglePrecision = {.atol = 0, .rtol = 2e-6};

}  // namespace

/// Schedules and time grids of RED-diff.
void run_redd_tables(GoldenCase& golden) {
  for (const auto& item : golden.config().at("schedules")) {
    diffusion::DdpmScheduleConfig config;
    config.schedule = item.at("args").at("beta_schedule");
    config.single = true;
    const diffusion::DdpmSchedule made = diffusion::ddpm_schedule(config);
    const std::string out = "out." + item.at("name").get<std::string>() + ".";
    const auto from_clean = [](const at::Tensor& values, double clean) {
      return at::cat({at::full({1}, clean, at::kDouble), values});
    };
    golden.check(out + "betas", from_clean(made.betas, 0), kSinglePrecision);
    golden.check(out + "alphas", from_clean(made.alphas_cumprod, 1), kSinglePrecision);
  }
  const diffusion::Ddpm process({});
  std::int64_t number = 0;
  for (const auto& grid : golden.config().at("grids")) {
    inverse::SolverTimesConfig config{.steps = grid.at("num_steps"),
                                      .grid = "strided",
                                      .start_step = grid.at("start_step"),
                                      .end_step = grid.at("end_step")};
    std::vector<std::int64_t> indices;
    for (const auto& time : inverse::solver_times(config, process))
      indices.push_back(static_cast<std::int64_t>(process.network_time(time.t)));
    std::reverse(indices.begin(), indices.end());
    golden.check("out.grid." + std::to_string(number++), at::tensor(indices, at::kLong));
    config.steps = config.start_step - config.end_step + 1;
    tests::expect_error(Errc::kUsage, "solver.steps must be at most", [&] { inverse::solver_times(config, process); });
  }
}

}  // namespace reseda::golden
