#include "pipelines/medical/sinogram_job.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "io/array/npy.hpp"
#include "io/kspace/sinogram_hdf5.hpp"
#include "io/record/file_bytes.hpp"

namespace reseda::medical {
namespace {

constexpr std::size_t kMostAngleBytes = 1 << 20;

bool is_number(const std::string& text, double& value) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() && std::isfinite(value);
}

std::vector<double> angles_of_file(const std::filesystem::path& file) {
  std::vector<double> out;
  if (file.extension() == ".npy") {
    const at::Tensor values = io::read_npy(file);
    RESEDA_REQUIRE(values.dim() == 1 && !values.is_complex() && values.isfinite().all().item<bool>(), Errc::kInput,
                   file.string(), ": angles are one list of numbers, it is ", values.sizes());
    const at::Tensor numbers = values.to(at::kDouble).contiguous();
    out.assign(numbers.const_data_ptr<double>(), numbers.const_data_ptr<double>() + numbers.numel());
    return out;
  }
  std::istringstream words(io::read_file(file, kMostAngleBytes));
  for (std::string word; words >> word;) {
    double value = 0;
    RESEDA_REQUIRE(is_number(word, value), Errc::kInput, file.string(), ": angle ", out.size() + 1,
                   " is not a number of degrees");
    out.push_back(value);
  }
  return out;
}

}  // namespace

at::Tensor read_sinogram(const std::filesystem::path& file, const std::string& dataset) {
  const std::string name = file.string(), end = file.extension();
  at::Tensor values;
  if (end == ".npy") {
    values = io::read_npy(file);
  } else if (end == ".h5" || end == ".hdf5") {
    values = io::read_hdf5_numbers(file, dataset);
  } else {
    values = io::read_volume(file).voxels;
  }
  RESEDA_REQUIRE(!values.is_complex() && (values.dim() == 2 || values.dim() == 3), Errc::kInput, name,
                 ": a sinogram is real, [views,detectors] or [slices,views,detectors], it is ",
                 values.is_complex() ? "complex " : "", values.sizes());
  values = (values.dim() == 2 ? values.unsqueeze(0) : values).to(at::kFloat);
  RESEDA_REQUIRE(values.size(0) >= 1 && values.size(1) >= 2 && values.size(2) >= 16, Errc::kInput, name,
                 ": a sinogram needs at least 2 views of 16 detector elements, it is ", values.sizes());
  return values;
}

std::vector<double> view_angles(const std::string& text, std::int64_t views) {
  const std::size_t colon = text.find(':');
  double start = 0, step = 0;
  if (colon != std::string::npos && is_number(text.substr(0, colon), start) &&
      is_number(text.substr(colon + 1), step)) {
    RESEDA_REQUIRE(step != 0, Errc::kUsage, "--angles: the step must not be 0");
    std::vector<double> out;
    for (std::int64_t i = 0; i < views; ++i) out.push_back(start + step * static_cast<double>(i));
    return out;
  }
  RESEDA_REQUIRE(std::filesystem::exists(text), Errc::kUsage, "--angles: '", text,
                 "' is neither START:STEP in degrees nor a file");
  const std::vector<double> out = angles_of_file(text);
  RESEDA_REQUIRE(static_cast<std::int64_t>(out.size()) == views, Errc::kInput, text, ": has ", out.size(),
                 " angles, the sinogram ", views, " views");
  return out;
}

SinogramJob::SinogramJob(const SinogramRun& run, const app::BatchItem& item, const std::string& angles)
    : run_(run), item_(item), config_(run.config), sinograms_(read_sinogram(item.input, run.dataset)) {
  if (!angles.empty()) config_.rays.angles = view_angles(angles, sinograms_.size(1));
}

void SinogramJob::compute(app::ItemContext& context) {
  std::vector<at::Tensor> slices;
  const std::int64_t count = sinograms_.size(0);
  for (std::int64_t i = 0; i < count; ++i) {
    const ProgressSink sink = [&](const Progress& p) {
      context.report(i * p.total + p.done, count * p.total);
      return true;
    };
    const SinogramImage image =
        reconstruct_sinogram(sinograms_[i], config_, run_.prior, *run_.noise, item_.id + "/" + std::to_string(i), sink);
    slices.push_back(image.slice);
    noise_ = std::max(noise_, image.noise);
    misfit_ = std::max(misfit_, image.misfit);
  }
  volume_.voxels = at::stack(slices);
  volume_.geometry.spacing_mm = {config_.rays.pixel, config_.rays.pixel, 1};
}

void SinogramJob::save() {
  write_reconstruction(item_.staged, item_.output, volume_, run_.provenance);
  write_further(run_.outputs.picture, reconstruction_picture(volume_.voxels), run_.outputs.overwrite);
}

ConfigNode SinogramJob::facts() const {
  ConfigNode facts = ConfigNode::map();
  facts["method"] = ConfigNode(config_.method);
  facts["slices"] = ConfigNode(std::to_string(sinograms_.size(0)));
  facts["views"] = ConfigNode(std::to_string(sinograms_.size(1)));
  facts["detectors"] = ConfigNode(std::to_string(sinograms_.size(2)));
  facts["side"] = ConfigNode(std::to_string(volume_.voxels.size(1)));
  facts["unit"] = ConfigNode(config_.hounsfield ? "HU" : "1/mm");
  facts["integral_noise"] = ConfigNode(number_text(noise_));
  facts["misfit"] = ConfigNode(number_text(misfit_));
  return facts;
}

}  // namespace reseda::medical
