#include "pipelines/common/program.hpp"
#include "pipelines/infrared/train.hpp"

int main(int argc, char** argv) {
  using namespace reseda;
  return app::run_program(
      argc, argv,
      {.name = "reseda-infrared", .about = "Restores frames of thermal cameras.", .verbs = {infrared::train_verb()}});
}
