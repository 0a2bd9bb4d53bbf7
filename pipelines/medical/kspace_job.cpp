#include "pipelines/medical/kspace_job.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "io/array/npy_writer.hpp"

namespace reseda::medical {
namespace {

/// The middle of an axis; a side of 0 keeps it.
at::Tensor cut_middle(const at::Tensor& x, std::int64_t axis, std::int64_t side) {
  if (side <= 0 || side >= x.size(axis)) return x;
  return x.narrow(axis, x.size(axis) / 2 - side / 2, side);
}

}  // namespace

KspaceJob::KspaceJob(const KspaceRun& run, const app::BatchItem& item)
    : run_(run), item_(item), kspace_(io::read_kspace(item.input)) {
  if (!run.mask.empty()) io::apply_mask(kspace_, run.mask);
}

void KspaceJob::compute(app::ItemContext& context) {
  std::vector<at::Tensor> images, predictions;
  const std::int64_t slices = kspace_.samples.size(0);
  for (std::int64_t i = 0; i < slices; ++i) {
    const ProgressSink sink = [&](const Progress& p) {
      context.report(i * p.total + p.done, slices * p.total);
      return true;
    };
    const KspaceImage image = reconstruct_kspace(kspace_.samples[i], kspace_.mask[i], run_.config, run_.prior,
                                                 *run_.noise, item_.id + "/" + std::to_string(i), sink);
    images.push_back(image.magnitude);
    if (!run_.outputs.prediction.empty()) predictions.push_back(image.prediction);
    noise_ = std::max(noise_, image.noise);
    misfit_ = std::max(misfit_, image.misfit);
    calibration_ = image.calibration;
  }
  volume_.voxels = cut_middle(cut_middle(at::stack(images), 1, kspace_.shown[0]), 2, kspace_.shown[1]).contiguous();
  volume_.geometry.spacing_mm = kspace_.spacing_mm;
  if (predictions.size() == 1) prediction_ = predictions.front();
  if (predictions.size() > 1) prediction_ = at::stack(predictions);
}

void KspaceJob::save() {
  write_reconstruction(item_.staged, item_.output, volume_, run_.provenance);
  if (prediction_.defined()) write_further(run_.outputs.prediction, io::npy_bytes(prediction_), run_.outputs.overwrite);
  write_further(run_.outputs.picture, reconstruction_picture(volume_.voxels), run_.outputs.overwrite);
}

ConfigNode KspaceJob::facts() const {
  ConfigNode facts = ConfigNode::map();
  const auto sizes = kspace_.samples.sizes();
  facts["format"] = ConfigNode(kspace_.format);
  facts["method"] = ConfigNode(run_.config.method);
  facts["slices"] = ConfigNode(std::to_string(sizes[0]));
  facts["coils"] = ConfigNode(std::to_string(sizes[1]));
  facts["height"] = ConfigNode(std::to_string(volume_.voxels.size(1)));
  facts["width"] = ConfigNode(std::to_string(volume_.voxels.size(2)));
  facts["sampled_share"] = ConfigNode(number_text(kspace_.mask.mean().item<double>()));
  facts["calibration"] = ConfigNode(std::to_string(calibration_));
  facts["sample_noise"] = ConfigNode(number_text(noise_));
  facts["misfit"] = ConfigNode(number_text(misfit_));
  return facts;
}

}  // namespace reseda::medical
