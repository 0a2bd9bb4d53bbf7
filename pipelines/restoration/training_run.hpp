#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "modules/train/trainer.hpp"
#include "pipelines/common/training_run.hpp"
#include "pipelines/restoration/image_set.hpp"
#include "pipelines/restoration/restoration_model.hpp"
#include "pipelines/restoration/training_pairs.hpp"

namespace reseda::restoration {

struct TrainingConfig {
  RestorationModelConfig model;
  train::TrainerConfig train;
  std::string norm = "l1";
  std::int64_t crop = 64;
  std::int64_t batch = 16;
  std::string precision = "f32";
  std::int64_t hold_out = 20;
  std::int64_t validation_crops = 16;
  double start_share = 0.0;
  double spectrum = 0.0;
  template <class V>
  void fields(V& v) {
    v("model", model, "network, process, target and degradation");
    v("train", train, "optimiser and schedule");
    v("norm", norm, "error of the prediction: l1 (mean of absolute errors) or l2 (of squares)");
    v("crop", crop, "side of a training crop, pixels");
    v("batch", batch, "crops per step");
    v("precision", precision,
      "f32, or bf16 for activations in bfloat16 (weights, norms' statistics and losses stay float32)");
    v("hold_out", hold_out, "every n-th image validates; 0 trains on all and skips validation");
    v("validation_crops", validation_crops, "crops of a validation");
    v("start_share", start_share,
      "share of the crops that are trained where sampling starts, for samplers of one or few calls; the others have "
      "times from everywhere");
    v("spectrum", spectrum,
      "weight of the loss that compares spectra of the estimate and the clean image, which favours sharp ones "
      "(DifIISR's visual loss)");
  }
  /// @throws Error{kUsage} naming the key
  void validate() const;
};

struct TrainingRun : app::TrainingRun<TrainingConfig> {
  std::map<std::string, std::string> metadata = {};    ///< goes into the model file beside the model's own
  std::function<void(StateDict&)> complete_file = {};  ///< adds to each model file what the model alone does not hold
};

/// Trains a restoration model, or a prior, on the crops of a source, at times drawn uniformly from the process's (its
/// discrete ones where it has those): the error of the prediction against the target. Every save_every steps the folder
/// gets the averaged model and the whole training state; with `resume` a run continues from there to the same bytes as
/// a run that was never stopped (same thread count). Draws under the item "train" (time, eps) besides the source's.
/// @param model       built by seeded_model, which the sources may look at
/// @param validation  null for none
/// @return whether it reached its last step
/// @throws Error{kOutput} if the folder holds a run already and `resume` is off, Error{kCheckpoint} if it is of another
///         configuration, seed or data, Error{kInput} if the images do not fit
bool run_training(const TrainingRun& run, const RestorationModel& model, const PairSource& training,
                  const PairSource* validation);

/// The model of a run with its first weights: those of a model file, or from ATen's generator seeded for them alone.
/// @throws Error{kUsage}, Error{kCheckpoint} if the file does not fit the network
RestorationModel seeded_model(const TrainingRun& run);

/// On random crops of clean images, degraded anew at every step; every n-th image validates.
bool run_training(const TrainingRun& run, ImageSet images);

}  // namespace reseda::restoration
