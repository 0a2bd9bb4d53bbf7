#include "pipelines/common/report_flags.hpp"

namespace reseda::app {
namespace {

constexpr const char* kGroup = "Report";

}  // namespace

FlagTable report_flags(const std::string& files) {
  FlagTable table;
  table.add({.name = "output",
             .letter = 'o',
             .word = "FOLDER",
             .help = "where " + files + " go; without it only the means are printed",
             .group = kGroup,
             .hint = ValueHint::kFolder});
  table.add(
      {.name = "overwrite", .type = FlagType::kSwitch, .help = "replace files of an earlier report", .group = kGroup});
  table.add({.name = "json", .type = FlagType::kSwitch, .help = "print the scores as JSON", .group = kGroup});
  return table;
}

FlagTable interval_flags(const std::string& items) {
  FlagTable table;
  table.add({.name = "draws",
             .type = FlagType::kInteger,
             .value = "10000",
             .help = "resamples of the " + items + " behind the 95 % intervals",
             .group = kGroup,
             .least = 1,
             .most = 1000000});
  table.add({.name = "seed",
             .type = FlagType::kInteger,
             .value = "0",
             .help = "seed of the resamples",
             .group = kGroup,
             .least = 0});
  return table;
}

metrics::BootstrapConfig bootstrap_of(const Flags& flags) {
  return {.draws = flags.integer("draws"), .seed = static_cast<std::uint64_t>(flags.integer("seed"))};
}

std::string interval_fact(const Flags& flags) {
  return "95 %, " + std::to_string(flags.integer("draws")) + " bootstrap draws, seed " +
         std::to_string(flags.integer("seed"));
}

}  // namespace reseda::app
