#pragma once

#include <cstdint>
#include <filesystem>

#include "modules/train/rrcm_schedule.hpp"
#include "modules/train/trainer.hpp"
#include "pipelines/certify/certify_model.hpp"
#include "pipelines/certify/training_images.hpp"
#include "pipelines/common/training_run.hpp"

namespace reseda::certify {

struct ContrastConfig {
  CertifyModelConfig model;
  train::TrainerConfig train;
  train::RrcmScheduleConfig schedule;
  std::int64_t batch = 64;
  double tau = 0.2;
  bool flip = true;
  template <class V>
  void fields(V& v) {
    v("model", model, "rRCM's classifier, whose encoder and projector are trained");
    v("train", train, "optimiser and schedule; nothing is validated");
    v("schedule", schedule, "noise scales and the target's average; model.process has the last number of scales");
    v("batch", batch, "images per step; each is told from the others of its batch");
    v("tau", tau, "temperature of both parts of the loss");
    v("flip", flip, "every other view is mirrored, left to right");
  }
  /// @throws Error{kUsage} naming the key
  void validate() const;
};

using ContrastRun = app::TrainingRun<ContrastConfig>;

/// Pre-trains rRCM's encoder without labels (train::RrcmPretrainLoss): at every step three views of each image of a
/// batch (itself, and two strong_view) get one noise, and one pair of neighbours is drawn from a grid of noise scales
/// that grows with the step (train::rrcm_scales); the target follows the network by train::rrcm_target_ema. The head
/// keeps its first weights. The model file, which fine-tuning begins with, holds the averaged weights and the running
/// statistics of the network itself; the state holds the target too. Resumes as run_training. Draws under the item
/// "train" (scale, eps, first view, second view) besides those of TrainingImages.
/// @return whether it reached its last step
/// @throws Error{kUsage} unless the model is rRCM's with the process karras_ve, and as run_training
/// Source: Lei et al. 2025, "Robust Representation Consistency Model via Contrastive Denoising". Official:
/// jiachenlei/rRCM, rrcm/rrcm_denoiser.py.
bool run_contrast(const ContrastRun& run, const LabelledImages& images);

}  // namespace reseda::certify
