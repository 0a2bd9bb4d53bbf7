#include "pipelines/tools/bench.hpp"
#include "pipelines/tools/compare.hpp"
#include "pipelines/tools/convert.hpp"
#include "pipelines/tools/doctor.hpp"
#include "pipelines/tools/inspect.hpp"
#include "pipelines/tools/models.hpp"

int main(int argc, char** argv) {
  using namespace reseda;
  return app::run_program(argc, argv,
                          {.name = "reseda-tools",
                           .about = "Looks at checkpoints, models and this machine, and compares solvers.",
                           .verbs = {tools::inspect_verb(), tools::convert_verb(), tools::compare_verb(),
                                     tools::models_verb(), tools::doctor_verb(), tools::bench_verb()}});
}
