#include "pipelines/common/program.hpp"
#include "pipelines/medical/evaluate.hpp"
#include "pipelines/medical/reconstruct.hpp"
#include "pipelines/medical/restore.hpp"
#include "pipelines/medical/train.hpp"

int main(int argc, char** argv) {
  using namespace reseda;
  return app::run_program(argc, argv,
                          {.name = "reseda-medical",
                           .about = "Restores CT, MR and PET, and reconstructs from k-space and sinograms.",
                           .verbs = {medical::evaluate_verb(), medical::reconstruct_verb(), medical::restore_verb(),
                                     medical::train_verb()}});
}
