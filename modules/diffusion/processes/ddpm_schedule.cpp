#include "modules/diffusion/processes/ddpm_schedule.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <string_view>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

constexpr double kLargestCosineBeta = 0.999;
constexpr double kCosineOffset = 0.008;

bool has_ends(const std::string& schedule) { return schedule != "cosine" && schedule != "jsd"; }

double beta_factor(const DdpmScheduleConfig& config) {
  return config.beta_steps == 0 ? 1.0 : static_cast<double>(config.beta_steps) / static_cast<double>(config.steps);
}

double cosine_product(double u) {
  const double root = std::cos((u + kCosineOffset) / (1 + kCosineOffset) * std::numbers::pi / 2);
  return root * root;
}

double cosine_beta(double i, double steps) {
  return std::min(1 - cosine_product((i + 1) / steps) / cosine_product(i / steps), kLargestCosineBeta);
}

std::vector<double> betas_of(const DdpmScheduleConfig& config) {
  const std::int64_t steps = config.steps;
  const double first = config.beta_first * beta_factor(config), last = config.beta_last * beta_factor(config);
  std::vector<double> betas;
  for (std::int64_t i = 0; i < steps; ++i) {
    const auto place = static_cast<double>(i), count = static_cast<double>(steps);
    const double u = steps == 1 ? 0 : place / (count - 1);
    if (config.schedule == "linear") betas.push_back(first + u * (last - first));
    if (config.schedule == "cosine") betas.push_back(cosine_beta(place, count));
    if (config.schedule == "quad" || config.schedule == "scaled_linear")
      betas.push_back(std::pow(std::sqrt(first) + u * (std::sqrt(last) - std::sqrt(first)), 2.0));
    if (config.schedule == "const") betas.push_back(last);
    if (config.schedule == "jsd") betas.push_back(1 / (count - place));
    if (config.schedule == "sigmoid") betas.push_back(first + (last - first) / (1 + std::exp(6 - 12 * u)));
  }
  return betas;
}

std::int64_t parse_count(std::string_view text, const std::string& respacing) {
  std::int64_t count = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  RESEDA_REQUIRE(error == std::errc() && end == text.data() + text.size() && count >= 0 && !text.empty(), Errc::kUsage,
                 "process.respacing must be counts like 250 or 10,15,20, or ddimN, got '", respacing, "'");
  return count;
}

std::vector<std::int64_t> strided(std::int64_t steps, std::int64_t count) {
  for (std::int64_t stride = 1; stride < steps; ++stride) {
    if ((steps + stride - 1) / stride != count) continue;
    std::vector<std::int64_t> kept;
    for (std::int64_t i = 0; i < steps; i += stride) kept.push_back(i);
    return kept;
  }
  detail::raise(Errc::kUsage, "process.respacing ddim", count, ": no stride over ", steps, " steps keeps ", count);
}

std::vector<std::int64_t> sections_of(const std::string& respacing) {
  std::vector<std::int64_t> counts;
  std::string_view rest = respacing;
  for (std::size_t comma = 0; comma != std::string_view::npos; rest.remove_prefix(std::min(comma + 1, rest.size()))) {
    comma = rest.find(',');
    counts.push_back(parse_count(rest.substr(0, comma), respacing));
    if (comma == std::string_view::npos) break;
  }
  return counts;
}

}  // namespace

void DdpmScheduleConfig::validate() const {
  require_choice("process.schedule", schedule,
                 {"linear", "cosine", "quad", "scaled_linear", "const", "jsd", "sigmoid"});
  RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "process.steps must be in 1 to 100000, got ", steps);
  RESEDA_REQUIRE(beta_steps >= 0 && beta_steps <= 100000, Errc::kUsage, "process.beta_steps must be in 0 to 100000, ",
                 "got ", beta_steps);
  if (!has_ends(schedule)) return;
  RESEDA_REQUIRE(beta_first > 0 && beta_last >= beta_first && beta_last * beta_factor(*this) < 1, Errc::kUsage,
                 "process.beta_first and beta_last must satisfy 0 < beta_first <= beta_last < 1 (multiplied by ",
                 beta_factor(*this), "), got ", beta_first, " and ", beta_last);
}

std::vector<std::int64_t> space_timesteps(std::int64_t steps, const std::string& respacing) {
  constexpr std::string_view kStride = "ddim";
  if (respacing.starts_with(kStride))
    return strided(steps, parse_count(std::string_view(respacing).substr(kStride.size()), respacing));
  const std::vector<std::int64_t> counts = sections_of(respacing);
  const auto sections = static_cast<std::int64_t>(counts.size());
  std::vector<std::int64_t> kept;
  std::int64_t start = 0;
  for (std::int64_t i = 0; i < sections; ++i) {
    const std::int64_t size = steps / sections + (i < steps % sections ? 1 : 0);
    const std::int64_t count = counts[static_cast<std::size_t>(i)];
    RESEDA_REQUIRE(count <= size, Errc::kUsage, "process.respacing '", respacing, "' keeps ", count,
                   " steps of a section of ", size);
    const double stride = count > 1 ? static_cast<double>(size - 1) / static_cast<double>(count - 1) : 1.0;
    double place = 0;
    for (std::int64_t j = 0; j < count; ++j, place += stride)
      kept.push_back(start + static_cast<std::int64_t>(std::nearbyint(place)));
    start += size;
  }
  RESEDA_REQUIRE(!kept.empty(), Errc::kUsage, "process.respacing must keep a step, got '", respacing, "'");
  return kept;
}

DdpmSchedule ddpm_schedule(const DdpmScheduleConfig& config) {
  config.validate();
  const at::ScalarType type = config.single ? at::kFloat : at::kDouble;
  const at::Tensor betas = at::tensor(betas_of(config), at::kDouble).to(type);
  const at::Tensor product = (1 - betas).to(at::kDouble).cumprod(0);
  DdpmSchedule out{.betas = betas.to(at::kDouble), .alphas_cumprod = product, .kept = {}};
  if (config.respacing.empty()) {
    for (std::int64_t i = 0; i < config.steps; ++i) out.kept.push_back(i);
    return out;
  }
  out.kept = space_timesteps(config.steps, config.respacing);
  const at::Tensor chosen = product.index_select(0, at::tensor(out.kept, at::kLong));
  const at::Tensor before = at::cat({at::ones({1}, at::kDouble), chosen.slice(0, 0, -1)});
  out.betas = 1 - chosen / before;
  // Official code multiplies again: where a beta is nearly 1 that costs digits, which trained networks have seen.
  out.alphas_cumprod = (1 - out.betas).cumprod(0);
  return out;
}

}  // namespace reseda::diffusion
