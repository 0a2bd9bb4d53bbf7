#include "pipelines/medical/models_by_modality.hpp"

#include <set>

#include "io/record/sha256.hpp"
#include "modules/core/error.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/model_files.hpp"

namespace reseda::medical {

ModelsByModality::ModelsByModality(std::string given, Use use, c10::Device device, Precision precision)
    : given_(std::move(given)), use_(use), device_(device), precision_(precision) {}

std::filesystem::path ModelsByModality::file(Modality modality) const {
  if (!given_.empty()) return app::find_model(given_);
  if (use_ == Use::kPrior) return app::find_model("medical-prior");
  if (use_ == Use::kEnlarge) return app::find_model("medical-sr");
  // The noise of PET has no Rician bias, which the model of MR would take off.
  return app::find_model(modality == Modality::kMr ? "medical-denoise-mr" : "medical-denoise-ct");
}

const OpenedModel& ModelsByModality::of(Modality modality) {
  const std::filesystem::path path = file(modality);
  if (const auto found = opened_.find(path); found != opened_.end()) return found->second;
  OpenedModel opened{use_ == Use::kPrior ? MedicalModel::load_prior(path) : MedicalModel::load(path), path,
                     io::sha256_file(path, Errc::kCheckpoint)};
  const VolumeTaskConfig& task = opened.model.task;
  RESEDA_REQUIRE(use_ == Use::kPrior || task.task == (use_ == Use::kEnlarge ? "super_resolution" : "denoise"),
                 Errc::kCheckpoint, path.string(), ": is a model for the task ", task.task);
  if (task.modality == (modality == Modality::kCt ? "mr" : "ct"))
    log::warning(path.string(), ": was trained on ", task.modality == "ct" ? "CT" : "MR", ", and restores ",
                 modality_name(modality), " here");
  opened.model.restoration.network().to(device_);
  if (precision_ == Precision::kBf16) opened.model.restoration.network().set_compute_type(at::kBFloat16);
  return opened_.emplace(path, std::move(opened)).first->second;
}

std::string ModelsByModality::sha256() const {
  if (!given_.empty()) return io::sha256_file(file(Modality::kCt), Errc::kCheckpoint);
  std::set<std::filesystem::path> files;
  for (const Modality modality : {Modality::kCt, Modality::kMr, Modality::kPet}) {
    try {
      files.insert(file(modality));
    } catch (const Error&) {
      log::debug("no model for ", modality_name(modality));
    }
  }
  std::string hashes;
  for (const auto& path : files) hashes += io::sha256_file(path, Errc::kCheckpoint) + "\n";
  return io::sha256(hashes);
}

}  // namespace reseda::medical
