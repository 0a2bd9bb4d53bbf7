#include "pipelines/common/program.hpp"
#include "pipelines/speech/enhance.hpp"
#include "pipelines/speech/evaluate.hpp"
#include "pipelines/speech/train.hpp"

int main(int argc, char** argv) {
  using namespace reseda;
  return app::run_program(argc, argv,
                          {.name = "reseda-speech",
                           .about = "Enhances recordings of speech with few-step diffusion bridges.",
                           .verbs = {speech::enhance_verb(), speech::evaluate_verb(), speech::train_verb()}});
}
