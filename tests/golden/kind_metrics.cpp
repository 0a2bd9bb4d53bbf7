#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "io/audio/audio_file.hpp"
#include "modules/core/error.hpp"
#include "modules/metrics/si_sdr.hpp"
#include "modules/metrics/stoi.hpp"
#include "modules/metrics/summary.hpp"
#include "tests/golden/estimate_formula.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

namespace fs = std::filesystem;

/// The folder under which the recordings of a case lie: RESEDA_DATA_DIR, else data/ beside a golden folder, else
/// ../shared/data; empty if the recording is in none of them.
fs::path data_folder(const std::string& recording) {
  std::vector<fs::path> candidates;
  if (const char* given = std::getenv("RESEDA_DATA_DIR")) candidates.emplace_back(given);
  for (const fs::path& folder : golden_folders()) candidates.push_back(folder / "../data");
  candidates.push_back(fs::path(RESEDA_SOURCE_DIR) / "../shared/data");
  for (const fs::path& folder : candidates)
    if (fs::exists(folder / recording)) return folder;
  return {};
}

/// First channel as float64, and that its rate is the case's.
at::Tensor recording(const fs::path& file, std::int64_t rate_hz) {
  io::AudioInfo info;
  const at::Tensor wave = io::read_audio(file, &info);
  RESEDA_REQUIRE(info.format.sample_rate_hz == rate_hz, Errc::kInput, file.string(), ": ", info.format.sample_rate_hz,
                 " Hz, expected ", rate_hz);
  return wave[0].to(at::kDouble);
}

/// Official packages' names for everything this suite computes.
std::map<std::string, double> columns(const at::Tensor& x, const at::Tensor& n, const at::Tensor& e,
                                      std::int64_t rate_hz) {
  // pystoi's value where too little speech remains; ours is NaN.
  const auto defined = [](double score) { return std::isnan(score) ? 1e-5 : score; };
  const metrics::EnergyRatios ratios = metrics::energy_ratios(x, n, e);
  return {{"si_sdr", ratios.si_sdr},
          {"si_sdr_util", ratios.si_sdr},
          {"si_sir", ratios.si_sir},
          {"si_sar", ratios.si_sar},
          {"stoi", defined(metrics::stoi(x, e, rate_hz))},
          {"estoi", defined(metrics::estoi(x, e, rate_hz))}};
}

bool is_pesq(const std::string& column) { return column.starts_with("pesq"); }

class Comparison {
 public:
  explicit Comparison(GoldenCase& golden) : golden_(golden), tolerance_(golden.json().at("tolerance")) {}

  void check(const std::string& where, const std::string& column, double actual, const nlohmann::json& expected) {
    // JSON has no NaN and no infinity: null or text stands for them.
    if (!expected.is_number()) {
      EXPECT_FALSE(std::isfinite(actual)) << where << " " << column << ": expected " << expected;
    } else {
      const double allowed = tolerance_.at(column.starts_with("si_") ? "si" : "estoi").get<double>();
      EXPECT_NEAR(actual, expected.get<double>(), allowed) << where << " " << column;
      double& worst = worst_[column];
      worst = std::max(worst, std::abs(actual - expected.get<double>()));
    }
    golden_.count_check();
  }

  void print() const {
    for (const auto& [column, worst] : worst_) std::cout << "  " << column << ": largest difference " << worst << "\n";
    std::cout
        << "  PESQ columns: not computed. PESQ is ITU-T P.862; its code and tables are not free to ship, so scores "
           "from an outside program are merged by `reseda speech evaluate --scores`.\n";
  }

 private:
  GoldenCase& golden_;
  nlohmann::json tolerance_;
  std::map<std::string, double> worst_;
};

void check_row(const nlohmann::json& row, const fs::path& data, const nlohmann::json& config, Comparison& comparison,
               std::map<std::string, std::map<std::string, std::vector<double>>>& collected) {
  const auto rate_hz = config.at("sample_rate").get<std::int64_t>();
  const auto name = row.at("estimate").get<std::string>();
  const std::string where = row.at("clean").get<std::string>() + " " + name;
  const at::Tensor x = recording(data / row.at("clean").get<std::string>(), rate_hz);
  const at::Tensor y = recording(data / row.at("noisy").get<std::string>(), rate_hz), n = y - x;
  const at::Tensor e = evaluate_formula(config.at("estimates").at(name), {{"x", x}, {"y", y}, {"n", n}});
  const std::map<std::string, double> scores = columns(x, n, e, rate_hz);
  for (const auto& [column, expected] : row.items()) {
    if (column == "clean" || column == "noisy" || column == "estimate" || is_pesq(column)) continue;
    if (column == "samples") {
      EXPECT_EQ(x.size(0), expected.get<std::int64_t>()) << where;
    } else if (scores.count(column) == 0) {
      ADD_FAILURE() << where << ": column '" << column << "' is not known";
    } else {
      comparison.check(where, column, scores.at(column), expected);
    }
  }
  for (const auto& [column, score] : scores) collected[name][column].push_back(score);
}

}  // namespace

/// Scores of recorded pairs and artificial estimates: every column except PESQ, and the mean and population standard
/// deviation per estimate.
void run_metrics(GoldenCase& golden) {
  const nlohmann::json& rows = golden.json().at("rows");
  const fs::path data = data_folder(rows.at(0).at("clean").get<std::string>());
  if (data.empty()) {
    golden.count_check();
    GTEST_SKIP() << "the recordings are not here (RESEDA_DATA_DIR)";
  }
  Comparison comparison(golden);
  std::map<std::string, std::map<std::string, std::vector<double>>> collected;
  for (const nlohmann::json& row : rows) check_row(row, data, golden.config(), comparison, collected);
  const nlohmann::json summaries = golden.json().value("mean_and_population_std", nlohmann::json::object());
  for (const auto& [name, summary] : summaries.items())
    for (const auto& [column, expected] : summary.items()) {
      if (is_pesq(column)) continue;
      const metrics::MeanStd actual = metrics::mean_std(collected.at(name).at(column));
      comparison.check(name + " mean", column, actual.mean, expected.at(0));
      comparison.check(name + " std", column, actual.std, expected.at(1));
    }
  comparison.print();
}

}  // namespace reseda::golden
