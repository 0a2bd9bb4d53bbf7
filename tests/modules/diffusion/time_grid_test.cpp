#include "modules/diffusion/time_grid.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/modules/diffusion/plain_processes.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

std::vector<double> times(const std::string& grid, std::int64_t steps, const std::string& final_state,
                          const Process& process) {
  TimeGridConfig config;
  config.grid = grid;
  config.steps = steps;
  config.final_state = final_state;
  config.validate();
  return time_grid(config, process);
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected, double tolerance = 1e-12) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

TEST(TimeGrid, HasTheTimesByHand) {
  const PlainProcess process = exploding(1.0, 0.25);
  expect_near(times("uniform", 3, "x0", process), {1.0, 0.75, 0.5});
  expect_near(times("uniform", 3, "t_end", process), {1.0, 0.75, 0.5, 0.25});
  expect_near(times("uniform", 3, "denoise", process), {1.0, 0.625, 0.25});
  expect_near(times("trailing", 2, "t_end", process), {1.0, 0.5, 0.25});
  expect_near(times("quadratic", 2, "t_end", process), {1.0, 0.5625, 0.25});  // sqrt: 1, 0.75, 0.5
  expect_near(times("log_snr", 2, "t_end", process), {1.0, 0.5, 0.25});
  expect_near(times("log_snr", 3, "denoise", process), {1.0, 0.5, 0.25});
  // rho = 7: (1 + (0.25^{1/7} - 1) / 2)^7
  expect_near(times("karras", 2, "t_end", process), {1.0, std::pow(0.5 + 0.5 * std::pow(0.25, 1.0 / 7), 7), 0.25});
  expect_near(times("uniform", 1, "x0", process), {1.0});
  expect_near(times("uniform", 1, "denoise", process), {1.0});
  TimeGridConfig listed;
  listed.times = {1.0, 0.7, 0.25};
  expect_near(time_grid(listed, process), {1.0, 0.7, 0.25});
  listed.final_state = "denoise";
  expect_near(time_grid(listed, process), {1.0, 0.7, 0.25});
  listed.final_state = "t_end";
  EXPECT_EQ(error_of([&] { time_grid(listed, process); }).second,
            "sampler.times must stay above 0.25, where the process ends, got 0.25");
}

TEST(TimeGrid, IsThatOfEdm) {
  // sigma_i of Karras et al. with N = 18, of which the last call is at sigma_min.
  const std::vector<double> found = times("karras", 18, "denoise", exploding());
  ASSERT_EQ(found.size(), 18U);
  for (int i = 0; i < 18; ++i) {
    const double root = std::pow(80.0, 1 / 7.0) + i / 17.0 * (std::pow(0.002, 1 / 7.0) - std::pow(80.0, 1 / 7.0));
    EXPECT_NEAR(found[i], std::pow(root, 7), 1e-11 * found[i]) << i;
  }
}

TEST(TimeGrid, SpacesRatiosWhereTheyExist) {
  // a = 1 - t, c = t / 2: no ratio at t = 1, none above ratio_min at t = 0.
  const PlainProcess process = residual();
  const std::vector<double> found = times("log_snr", 5, "t_end", process);
  ASSERT_EQ(found.size(), 6U);
  EXPECT_EQ(found.front(), 1.0);
  EXPECT_EQ(found.back(), 0.0);
  for (int i = 1; i < 5; ++i) {
    const double ratio = 200.0 * std::pow(0.002 / 200.0, i / 5.0);
    EXPECT_NEAR(0.5 * found[i] / (1 - found[i]), ratio, 1e-9 * ratio) << i;
  }
  // The last call of denoise is where ratio_min is, not at the end, where the network knows the state is clean.
  const double last = times("karras", 5, "denoise", process).back();
  EXPECT_NEAR(0.5 * last / (1 - last), 0.002, 1e-12);
}

TEST(TimeGrid, TakesThoseTimesThatTheProcessHas) {
  struct Discrete final : PlainProcess {
    Discrete() : PlainProcess(exploding(1.0, 0.0)) {}
    double nearest_time(double t) const override { return std::round(t * 10) / 10; }
  };
  expect_near(times("uniform", 4, "x0", Discrete()), {1.0, 0.8, 0.5, 0.3});
  const auto [code, message] = error_of([&] { times("uniform", 30, "x0", Discrete()); });
  EXPECT_EQ(code, Errc::kUsage);
  EXPECT_EQ(message,
            "sampler.steps must leave the times of grid uniform falling and not below 0, where the process ends; 30 "
            "make number 2 1 after 1; take fewer or another grid");
}

TEST(TimeGrid, MovesTimesApartThatMeetInATable) {
  struct Table final : PlainProcess {
    Table() : PlainProcess(exploding(1.0, 0.1)) {}
    double nearest_time(double t) const override { return std::round(t * 10) / 10; }
    std::int64_t steps() const override { return 10; }
  };
  const Table process;
  // By ratio: 1, 0.63, 0.4, 0.25, 0.16, (0.1): 0.25 and 0.16 round to 0.3 and 0.2.
  expect_near(times("log_snr", 5, "t_end", process), {1.0, 0.6, 0.4, 0.3, 0.2, 0.1});
  // 1, 0.75, 0.56, 0.42, 0.32, 0.24, 0.18, 0.13: from 0.2 on there is no room below, so the ones before move up.
  expect_near(times("log_snr", 8, "x0", process), {1.0, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1});
  expect_near(times("log_snr", 9, "t_end", process), {1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1});
  expect_near(times("uniform", 10, "x0", process), {1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1});
  EXPECT_EQ(error_of([&] { times("log_snr", 10, "t_end", process); }).first, Errc::kUsage);
  EXPECT_EQ(error_of([&] { times("uniform", 11, "x0", process); }).first, Errc::kUsage);
}

TEST(TimeGrid, FindsTheTimeOfARatio) {
  const auto bridge = make_process(component("sb_ve"));
  for (const double t : {0.01, 0.4, 0.93}) {
    EXPECT_NEAR(time_of_noise_to_signal(*bridge, noise_to_signal(*bridge, t)), t, 1e-12);
  }
  EXPECT_EQ(time_of_noise_to_signal(*bridge, 1e-9), bridge->t_end());
  EXPECT_EQ(time_of_noise_to_signal(*bridge, 1e12), 1.0);
  EXPECT_TRUE(std::isinf(noise_to_signal(crossing(), 1.0)));
  EXPECT_NEAR(noise_to_signal(uneven(), 0.25), 0.25 * 0.7 / (1 - 0.99 * 0.25), 1e-12) << "the mean of the map";
}

TEST(TimeGrid, SaysWhatIsWrong) {
  const auto of = [](const std::function<void(TimeGridConfig&)>& change) {
    TimeGridConfig config;
    change(config);
    return error_of([&] { config.validate(); });
  };
  const struct {
    std::function<void(TimeGridConfig&)> change;
    const char* message;
  } cases[] = {
      {[](auto& c) { c.steps = 0; }, "sampler.steps must be in 1 to 100000, got 0"},
      {[](auto& c) { c.grid = "even"; },
       "sampler.grid must be one of uniform, trailing, quadratic, log_snr, karras, got 'even'"},
      {[](auto& c) { c.rho = 0.5; }, "sampler.rho must be in [1, 100], got 0.5"},
      {[](auto& c) { c.ratio_min = 300; }, "sampler.ratio_min must be > 0 and < ratio_max, got 300 and 200"},
      {[](auto& c) { c.final_state = "end"; }, "sampler.final_state must be one of x0, t_end, denoise, got 'end'"}};
  for (const auto& one : cases) {
    const auto [code, message] = of(one.change);
    EXPECT_EQ(code, Errc::kUsage);
    EXPECT_EQ(message, one.message);
  }
  TimeGridConfig config;
  config.grid = "karras";
  config.ratio_max = 0.01;
  const auto noisy_end = exploding(1.0, 0.5);
  EXPECT_EQ(error_of([&] { time_grid(config, noisy_end); }).second,
            "sampler.grid karras needs c / a to fall from the process's start to its end, got 0.01 and 0.5 within "
            "ratio_min and ratio_max");
  config = {};
  config.grid = "trailing";
  EXPECT_EQ(error_of([&] { time_grid(config, noisy_end); }).second,
            "sampler.steps must leave the times of grid trailing falling and not below 0.5, where the process ends; 10 "
            "make number 7 0.4 after 0.5; take fewer or another grid");
  config = {};
  config.grid = "quadratic";
  const PlainProcess early(1.0, -1.0, [](double t) { return Marginal{1.0, 0.0, t + 1}; });
  EXPECT_EQ(error_of([&] { time_grid(config, early); }).second,
            "sampler.grid quadratic needs a process whose times are >= 0, this one ends at -1");
}

}  // namespace
}  // namespace reseda::diffusion
