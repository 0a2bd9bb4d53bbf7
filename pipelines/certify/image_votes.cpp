#include "pipelines/certify/image_votes.hpp"

#include <algorithm>
#include <numeric>

#include "modules/core/error.hpp"
#include "modules/stats/confidence_sequence.hpp"
#include "modules/stats/discrete_gaussian.hpp"

namespace reseda::certify {
namespace {

std::int64_t sum(const std::vector<std::int64_t>& votes) {
  return std::accumulate(votes.begin(), votes.end(), std::int64_t{0});
}

void add(std::vector<std::int64_t>& sum, const std::vector<std::int64_t>& votes) {
  std::transform(sum.begin(), sum.end(), votes.begin(), sum.begin(), std::plus<>());
}

/// A race over the votes of a state, as it stood after its last look.
stats::RadiusRace race_of(const RunSettings& settings, const VoteState& state, bool& open) {
  stats::RadiusRace race(settings.target_radii, settings.sigma, settings.alpha, settings.n);
  open = true;
  for (const std::int64_t hits : state.looks)
    open = race.observe(hits, std::min(ImageVotes::kLook, settings.n - race.sequence().trials()));
  return race;
}

}  // namespace

std::int64_t VoteState::selected() const { return sum(selection); }
std::int64_t VoteState::estimated() const { return sum(estimation); }

VoteState ImageVotes::start() const {
  const std::vector<std::int64_t> none(static_cast<std::size_t>(classes_) + 1, 0);
  return {none, none, {}};
}

bool ImageVotes::fits(const VoteState& state) const {
  const auto is_tally = [&](const std::vector<std::int64_t>& votes, std::int64_t most) {
    return static_cast<std::int64_t>(votes.size()) == classes_ + 1 &&
           std::all_of(votes.begin(), votes.end(), [most](std::int64_t n) { return n >= 0 && n <= most; }) &&
           sum(votes) <= most;
  };
  if (!is_tally(state.selection, settings_.n0) || !is_tally(state.estimation, settings_.n)) return false;
  if (state.estimated() > 0 && state.selected() < settings_.n0) return false;
  if (settings_.bound != "sequential") return state.looks.empty();
  const std::int64_t whole = state.estimated() / kLook, rest = state.estimated() % kLook;
  const std::int64_t looks = whole + (rest > 0 && state.estimated() == settings_.n ? 1 : 0);
  return static_cast<std::int64_t>(state.looks.size()) == looks &&
         std::all_of(state.looks.begin(), state.looks.end(), [](std::int64_t n) { return n >= 0 && n <= kLook; });
}

stats::Certificate ImageVotes::certify(const at::Tensor& image, const std::string& item, VoteState& state,
                                       const AfterBatch& after_batch) const {
  const std::int64_t label = select(image, item, state, after_batch);
  const stats::Certificate certificate = settings_.bound == "sequential"
                                             ? sequential(image, item, label, state, after_batch)
                                             : fixed(image, item, state, after_batch);
  return settings_.noise == "integer" ? sound(certificate, label, image.numel()) : certificate;
}

std::int64_t ImageVotes::select(const at::Tensor& image, const std::string& item, VoteState& state,
                                const AfterBatch& after_batch) const {
  while (state.selected() < settings_.n0) {
    const std::int64_t done = state.selected();
    const std::int64_t count = std::min(smoothed_.config().batch, settings_.n0 - done);
    add(state.selection, smoothed_.votes(image, {item, "selection", done, count}));
    after_batch(state);
  }
  RESEDA_REQUIRE(state.selection.back() < settings_.n0, Errc::kNumeric, "image ", item,
                 ": the classifier's logits are not finite, in all of ", settings_.n0, " noisy copies");
  std::vector<std::int64_t> finite = state.selection;
  finite.back() = 0;
  return stats::top_class(finite);
}

stats::Certificate ImageVotes::fixed(const at::Tensor& image, const std::string& item, VoteState& state,
                                     const AfterBatch& after_batch) const {
  while (state.estimated() < settings_.n) {
    const std::int64_t done = state.estimated(), count = std::min(smoothed_.config().batch, settings_.n - done);
    add(state.estimation, smoothed_.votes(image, {item, "estimation", done, count}));
    after_batch(state);
  }
  std::vector<std::int64_t> selection = state.selection;
  selection.back() = 0;
  return stats::certify(selection, state.estimation, settings_.sigma, settings_.alpha);
}

stats::Certificate ImageVotes::sequential(const at::Tensor& image, const std::string& item, std::int64_t label,
                                          VoteState& state, const AfterBatch& after_batch) const {
  const auto winner = static_cast<std::size_t>(label);
  bool open = true;
  stats::RadiusRace race = race_of(settings_, state, open);
  while (open && state.estimated() < settings_.n) {
    std::int64_t done = state.estimated();
    const std::int64_t count = std::min(smoothed_.config().batch, settings_.n - done);
    for (const std::int64_t vote : smoothed_.ordered_votes(image, {item, "estimation", done, count})) {
      ++state.estimation[static_cast<std::size_t>(vote)];
      if (++done % kLook != 0 && done != settings_.n) continue;
      state.looks.push_back(state.estimation[winner] - race.sequence().successes());
      open = race.observe(state.looks.back(), done - race.sequence().trials());
      if (!open) break;
    }
    after_batch(state);
  }
  stats::Certificate out;
  out.hits = race.sequence().successes();
  out.trials = race.sequence().trials();
  out.probability = race.sequence().lower();
  if (out.probability.p < 0.5) return out;
  out.label = label;
  out.radius = std::max(0.0, stats::certified_radius(settings_.sigma, out.probability));
  return out;
}

/// Takes what the sampled integer noise differs from the ideal one off the bound.
stats::Certificate ImageVotes::sound(stats::Certificate certificate, std::int64_t label,
                                     std::int64_t coordinates) const {
  const double loss = stats::DiscreteGaussian(settings_.sigma).truncation_loss(coordinates);
  stats::ProbabilityBound& bound = certificate.probability;
  bound = {std::max(0.0, bound.p - loss), std::min(1.0, bound.q + loss)};
  const bool certified = bound.p >= 0.5;
  certificate.label = certified ? label : stats::kAbstain;
  certificate.radius = certified ? std::max(0.0, stats::certified_radius(settings_.sigma, bound)) : 0.0;
  return certificate;
}

double largest_radius(const RunSettings& settings) {
  if (settings.bound != "sequential") return stats::largest_radius(settings.sigma, settings.n, settings.alpha);
  stats::ConfidenceSequence sequence(settings.alpha);
  sequence.observe(settings.n, settings.n);
  return stats::certified_radius(settings.sigma, sequence.lower());
}

}  // namespace reseda::certify
