#include "pipelines/common/program.hpp"
#include "pipelines/infrared/evaluate.hpp"
#include "pipelines/infrared/train.hpp"
#include "pipelines/infrared/upscale.hpp"

int main(int argc, char** argv) {
  using namespace reseda;
  return app::run_program(argc, argv,
                          {.name = "reseda-infrared",
                           .about = "Restores frames of thermal cameras.",
                           .verbs = {infrared::train_verb(), infrared::upscale_verb(), infrared::evaluate_verb()}});
}
