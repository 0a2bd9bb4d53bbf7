#pragma once

#include "pipelines/certify/training_images.hpp"
#include "pipelines/restoration/training_run.hpp"

namespace reseda::certify {

/// Trains a prior of the images, the denoiser that stands before a classifier: at times drawn from its process, the
/// error of the prediction on images in [-1, 1], half of them mirrored, under the process's noise. Every hold_out-th
/// image validates. Resumes as restoration::run_training. Draws: "crop N" (image) besides those of
/// restoration::run_training.
/// @return whether it reached its last step
/// @throws Error{kUsage} unless the config is of an unconditional prior of black 0 to white 1 with crops of the images'
///         side, and as restoration::run_training
/// Source: Salman et al. 2020, "Denoised Smoothing: A Provable Defense for Pretrained Classifiers"; Carlini et al.
/// 2023.
bool train_denoiser(const restoration::TrainingRun& run, const LabelledImages& images);

}  // namespace reseda::certify
