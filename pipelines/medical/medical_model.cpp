#include "pipelines/medical/medical_model.hpp"

#include "io/checkpoint/safetensors.hpp"
#include "io/record/json.hpp"
#include "modules/core/error.hpp"

namespace reseda::medical {

MedicalModel MedicalModel::load(const std::filesystem::path& file) {
  const StateDict weights = io::read_safetensors(file);
  const auto found = weights.metadata.find(kTaskKey);
  RESEDA_REQUIRE(found != weights.metadata.end(), Errc::kCheckpoint, file.string(),
                 ": not a model of medical slices (metadata '", kTaskKey,
                 "' is missing; a prior needs --engine red-diff)");
  VolumeTaskConfig task;
  try {
    read_config(io::parse_json(found->second, file.string()), task, "task");
    task.validate();
  } catch (const Error& error) {
    throw Error(Errc::kCheckpoint, file.string() + ": " + error.what());
  }
  return {restoration::RestorationModel::from(weights, file.string()), std::move(task)};
}

MedicalModel MedicalModel::load_prior(const std::filesystem::path& file) {
  MedicalModel model{restoration::RestorationModel::load(file), {}};
  RESEDA_REQUIRE(!model.restoration.config().conditional, Errc::kCheckpoint, file.string(),
                 ": is a restoration model; red-diff needs an unconditional prior");
  return model;
}

}  // namespace reseda::medical
