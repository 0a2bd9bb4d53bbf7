#ifdef RESEDA_BENCH_VERB
#include "pipelines/tools/bench.hpp"
#endif
#include "pipelines/tools/compare.hpp"
#include "pipelines/tools/convert.hpp"
#include "pipelines/tools/doctor.hpp"
#include "pipelines/tools/inspect.hpp"
#include "pipelines/tools/models.hpp"

int main(int argc, char** argv) {
  using namespace reseda;
  app::ProgramInfo program{.name = "reseda-tools",
                           .about = "Looks at checkpoints, models and this machine, and compares solvers.",
                           .verbs = {tools::inspect_verb(), tools::convert_verb(), tools::compare_verb(),
                                     tools::models_verb(), tools::doctor_verb()}};
#ifdef RESEDA_BENCH_VERB
  program.verbs.push_back(tools::bench_verb());
#endif
  return app::run_program(argc, argv, program);
}
