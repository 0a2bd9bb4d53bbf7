#include "pipelines/common/program.hpp"
#include "pipelines/medical/train.hpp"

int main(int argc, char** argv) {
  using namespace reseda;
  return app::run_program(
      argc, argv, {.name = "reseda-medical", .about = "Restores CT and MR volumes.", .verbs = {medical::train_verb()}});
}
