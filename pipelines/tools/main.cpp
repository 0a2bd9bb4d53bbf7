#include "pipelines/tools/doctor.hpp"
#include "pipelines/tools/models.hpp"

int main(int argc, char** argv) {
  return reseda::app::run_program(argc, argv,
                                  {"reseda-tools",
                                   "Looks at models and at this machine.",
                                   {reseda::tools::doctor_verb(), reseda::tools::models_verb()}});
}
