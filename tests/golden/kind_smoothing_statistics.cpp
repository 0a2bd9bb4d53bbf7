#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "modules/stats/certificate.hpp"
#include "modules/stats/certified_accuracy.hpp"
#include "modules/stats/normal.hpp"
#include "pipelines/certify/accuracy_table.hpp"
#include "pipelines/certify/cohen_log.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

using Json = nlohmann::json;
using Counts = std::vector<std::int64_t>;

long double exact(const Json& text) { return std::stold(text.get<std::string>()); }

void check_bounds(GoldenCase& golden) {
  for (const Json& row : golden.json().at("clopper_pearson")) {
    const std::int64_t k = row.at("k"), n = row.at("n");
    const double alpha = row.at("alpha");
    const stats::ProbabilityBound bound = stats::lower_bound(k, n, alpha);
    const long double expected = exact(row.at("p_lower_exact"));
    EXPECT_LE(static_cast<long double>(bound.p), expected) << row;
    EXPECT_GE(static_cast<long double>(bound.p), expected * (1 - 1e-13L)) << row;
    EXPECT_NEAR(bound.p, row.at("p_lower").get<double>(), 1e-12) << row;
    EXPECT_EQ(bound.p < 0.5, row.at("abstain").get<bool>()) << row;
    if (!row.at("z_exact").is_null()) {
      EXPECT_NEAR(stats::normal_quantile(bound), static_cast<double>(exact(row["z_exact"])), 2e-12) << row;
    }
    EXPECT_NEAR(stats::upper_bound(k, n, alpha).p, row.at("p_upper_one_sided").get<double>(), 1e-12) << row;
    EXPECT_NEAR(stats::lower_bound(k, n, alpha / 2).p, row.at("two_sided")[0].get<double>(), 1e-12) << row;
    EXPECT_NEAR(stats::upper_bound(k, n, alpha / 2).p, row.at("two_sided")[1].get<double>(), 1e-12) << row;
    golden.count_check();
  }
  for (const Json& row : golden.json().at("norm_ppf")) {
    const auto z = static_cast<double>(exact(row.at("z_exact")));
    EXPECT_NEAR(stats::normal_quantile(row.at("p").get<double>()), z, 1e-12 * (1 + std::abs(z))) << row;
  }
  for (const Json& row : golden.json().at("binomial_test")) {
    const double p = stats::even_split_p_value(row.at("c1"), row.at("c2"));
    EXPECT_NEAR(p, row.at("p_value").get<double>(), 1e-12 * row.at("p_value").get<double>()) << row;
    for (const auto& [alpha, abstain] : row.at("abstain").items())
      EXPECT_EQ(p > std::stod(alpha), abstain.get<bool>()) << row;
  }
}

void check_decisions(GoldenCase& golden) {
  for (const Json& row : golden.json().at("decisions")) {
    const double alpha = row.at("alpha");
    if (row.at("what") == "predict") {
      EXPECT_EQ(stats::predict(row.at("counts").get<Counts>(), alpha), row.at("class").get<std::int64_t>()) << row;
      continue;
    }
    const double sigma = row.at("sigma"), radius = row.at("radius");
    const stats::Certificate made = stats::certify(row.at("counts_selection").get<Counts>(),
                                                   row.at("counts_estimation").get<Counts>(), sigma, alpha);
    EXPECT_EQ(made.label, row.at("class").get<std::int64_t>()) << row;
    EXPECT_NEAR(made.radius, radius, 1e-12) << row;
  }
  for (const Json& row : golden.json().at("p_B")) {
    const Counts counts = row.at("counts");
    const double sigma = row.at("sigma"), alpha = row.at("alpha");
    for (const auto& [name, sound] : row.items()) {
      if (!name.starts_with("bonferroni_sound") || sound.at("radius").is_null()) continue;
      const double radius = stats::certify_both_sides(counts, counts, sigma, alpha).radius;
      const double one_sided = sigma * stats::normal_quantile(sound.at("pA_low").get<double>());
      EXPECT_NEAR(radius, std::max({0.0, one_sided, sound.at("radius").get<double>()}), 1e-11) << row;
    }
  }
}

}  // namespace

/// Bounds, decisions and the texts of logs.
void run_smoothing_statistics(GoldenCase& golden) {
  check_bounds(golden);
  check_decisions(golden);
  for (const Json& row : golden.json().at("radius_format")) {
    const double radius = row.at("radius");
    EXPECT_EQ(certify::three_digits(radius), row.at("printed").get<std::string>());
    EXPECT_EQ(certify::three_digits(static_cast<double>(static_cast<float>(radius))),
              row.at("rRCM_float32").get<std::string>());
  }
  for (const Json& row : golden.json().at("time_format"))
    EXPECT_EQ(certify::duration_text(row.at("seconds").get<double>()), row.at("printed").get<std::string>());
}

namespace {

void check_curve(const std::vector<stats::CertifiedImage>& images, const std::vector<double>& radii,
                 const Json& curve) {
  ASSERT_EQ(radii.size(), curve.size());
  for (std::size_t i = 0; i < radii.size(); ++i)
    EXPECT_NEAR(stats::certified_accuracy(images, radii[i]), curve[i].get<double>(), 1e-15) << "at " << radii[i];
}

}  // namespace

/// Curves and tables of published logs.
void run_smoothing_analysis(GoldenCase& golden) {
  const Json& json = golden.json();
  const Json& out = json.at("out");
  const double most = out.at("curve_max"), step = out.at("step");
  const auto fine = stats::radius_grid(0, most, 0.01), coarse = stats::radius_grid(0, most, step);
  const auto columns = stats::radius_grid(step, most, step);
  std::vector<certify::AccuracyRow> table;
  for (std::size_t log = 0; log < json.at("in.logs").size(); ++log) {
    const certify::CohenLog read = certify::parse_cohen_log(json["in.logs"][log].get<std::string>());
    EXPECT_FALSE(read.other_correct) << log;
    const auto images = read.images();
    check_curve(images, fine, out.at("curves")[log]);
    for (const Json& high : out.at("high_prob"))
      for (std::size_t i = 0; i < high.at("values")[log].size(); ++i)
        EXPECT_NEAR(stats::high_probability_accuracy(stats::certified_accuracy(images, coarse.at(i)),
                                                     static_cast<std::int64_t>(images.size()), high.at("alpha"),
                                                     high.at("rho")),
                    high["values"][log][i].get<double>(), 1e-14);
    std::vector<double> accuracies;
    for (const double radius : columns) accuracies.push_back(stats::certified_accuracy(images, radius));
    table.push_back({"s" + std::to_string(log), accuracies});
    golden.count_check();
  }
  EXPECT_EQ(certify::latex_table(columns, table), out.at("latex").get<std::string>());
  EXPECT_EQ(certify::markdown_table(columns, table), out.at("markdown").get<std::string>());
  // A running total in the place of `correct`, which the official analysis takes for it.
  const certify::CohenLog total = certify::parse_cohen_log(json.at("dds").at("in.log").get<std::string>());
  EXPECT_TRUE(total.other_correct);
  for (const certify::CohenRow& row : total.rows) EXPECT_EQ(row.correct(), row.label == row.predicted);
}

}  // namespace reseda::golden
