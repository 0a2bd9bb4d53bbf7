#include "pipelines/certify/analyze.hpp"
#include "pipelines/certify/import.hpp"
#include "pipelines/certify/merge.hpp"
#include "pipelines/certify/run.hpp"
#include "pipelines/certify/train.hpp"
#include "pipelines/common/program.hpp"

int main(int argc, char** argv) {
  using namespace reseda;
  return app::run_program(argc, argv,
                          {.name = "reseda-certify",
                           .about = "Certifies classifiers of images by randomised smoothing.",
                           .verbs = {certify::run_verb(), certify::merge_verb(), certify::analyze_verb(),
                                     certify::train_verb(), certify::import_verb()}});
}
