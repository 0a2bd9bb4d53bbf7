#pragma once

#include <cstdint>
#include <filesystem>

#include "modules/train/smoothing_loss.hpp"
#include "modules/train/trainer.hpp"
#include "pipelines/certify/certify_model.hpp"
#include "pipelines/certify/rrcm_tuning.hpp"
#include "pipelines/certify/training_images.hpp"
#include "pipelines/common/training_run.hpp"

namespace reseda::certify {

struct TrainingConfig {
  CertifyModelConfig model;
  train::TrainerConfig train;
  AugmentationConfig augmentation;
  std::int64_t batch = 64;
  bool consistency = false;
  train::SmoothingLossConfig loss;
  RrcmTuningConfig tune;
  std::int64_t hold_out = 20;
  template <class V>
  void fields(V& v) {
    v("model", model, "classifier; each image gets noise of one of model.sigmas, drawn anew at every step");
    v("train", train, "optimiser and schedule");
    v("augmentation", augmentation, "of images before the noise");
    v("batch", batch, "images per step");
    v("consistency", consistency, "several noisy copies of each image, which should get the same answer (loss)");
    v("loss", loss, "what is added to the cross entropy with consistency");
    v("tune", tune, "of rRCM's classifier: what is trained, and how fast");
    v("hold_out", hold_out, "every n-th image validates; 0 trains on all and skips validation");
  }
  /// @throws Error{kUsage} naming the key
  void validate() const;
};

struct TrainingRun : app::TrainingRun<TrainingConfig> {
  /// Model file of a prior (train_denoiser) that cleans what the classifier sees, here and in use; it is not trained
  /// on. Empty: none.
  std::filesystem::path denoiser = {};
};

/// Trains a classifier to be smoothed: the cross entropy of x + sigma eps, where sigma is one of the model's, drawn for
/// each image, after the denoiser where there is one; with consistency that of several copies, and how far they
/// disagree. rRCM's classifier is told each image's sigma. Every save_every steps the folder gets the averaged model,
/// after its running statistics have followed it for 32 batches, and the whole training state; with `resume` a run
/// continues from there to the same bytes as a run that was never stopped (same thread count).
/// Draws under the item "train" (sigma, eps) besides those of TrainingImages; under "validation" (eps).
/// @return whether it reached its last step
/// @throws Error{kOutput} if the folder holds a run already and `resume` is off, Error{kCheckpoint} if it is of another
///         configuration, seed or data, Error{kInput} if the images do not fit the model
/// Source: Cohen, Rosenfeld & Kolter 2019, Sec. 3.3 and appendix F; Jeong & Shin 2020. Official: locuslab/smoothing,
/// code/train.py, with one sigma and SGD.
bool run_training(const TrainingRun& run, const LabelledImages& images);

/// The share of images whose class the model finds in one noisy copy each. Draws "validation" (eps).
double noisy_accuracy(const CertifyModel& model, const LabelledImages& images, double sigma, NoiseSource& noise);

}  // namespace reseda::certify
