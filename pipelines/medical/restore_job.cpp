#include "pipelines/medical/restore_job.hpp"

#include <ATen/ATen.h>

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "io/record/file_bytes.hpp"
#include "modules/core/error.hpp"
#include "modules/core/log.hpp"
#include "modules/core/noise.hpp"

namespace reseda::medical {
namespace {

/// Four digits: what a noise level is worth.
std::string short_number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

ConfigNode number(double value) { return ConfigNode(number_text(value)); }

std::string units_of(const OpenedScan& scan) {
  const auto found = scan.volume.metadata.find("units");
  if (found != scan.volume.metadata.end() && !found->second.empty()) return found->second;
  return scan.modality == Modality::kCt ? "HU" : "stored units";
}

}  // namespace

OpenedScan open_scan(const Scan& scan, const RestoreRequest& request) {
  OpenedScan opened;
  if (scan.series) {
    io::SeriesReading reading;
    if (request.task != "sr-through") {
      reading.accept = {io::Irregular::kTilt, io::Irregular::kUneven, io::Irregular::kMissing};
      for (const io::StackProblem& problem : scan.series->problems)
        if (reading.accept.count(problem.kind) > 0)
          log::warning(scan.input.id, ": ", problem.what, "; its slices are restored as they are");
    }
    opened.volume = io::read_series(*scan.series, reading);
  } else {
    opened.volume = io::read_volume(scan.input.path);
  }
  if (request.modality) {
    opened.modality = *request.modality;
    return opened;
  }
  const auto known = scan.series ? find_modality(scan.series->modality) : std::nullopt;
  opened.guessed = !known;
  opened.modality = known ? *known : guess_modality(opened.volume.voxels);
  if (opened.guessed)
    log::info(scan.input.id, ": taken for ", modality_name(opened.modality),
              " by its values; --modality says otherwise");
  return opened;
}

RestoreJob::RestoreJob(const Scan& scan, const RestoreRequest& request, ModelsByModality& models,
                       const app::BatchItem& item)
    : scan_(scan), request_(request), models_(models), item_(item) {}

/// Standard deviation of the noise, in units of the volume.
double RestoreJob::noise_level(const OpenedScan& scan) {
  if (request_.sigma) {
    noise_.sigma = noise_.low = noise_.high = *request_.sigma;
    return noise_.sigma;
  }
  noise_ = blind_noise_level(scan.volume.voxels, scan.volume.padding, scan.modality);
  log::info(item_.id, ": noise ", short_number(noise_.sigma), " ", units_of(scan), " (95 % interval ",
            short_number(noise_.low), " to ", short_number(noise_.high), ", from ",
            metrics::noise_site_name(noise_.site), "); --noise says otherwise");
  return noise_.sigma;
}

void RestoreJob::compute(app::ItemContext& context) {
  const auto started = std::chrono::steady_clock::now();
  opened_ = open_scan(scan_, request_);
  const at::Tensor& voxels = opened_.volume.voxels;
  const OpenedModel& model = models_.of(opened_.modality);
  range_ = intensity_range(voxels, opened_.modality == Modality::kCt, model.model.task.intensity, item_.id);
  at::Tensor numbers = range_.to_numbers(voxels);
  if (opened_.volume.padding.defined()) numbers.masked_fill_(opened_.volume.padding, 0.0);
  const VolumeRestorer restorer(model.model, request_.restorer);
  CounterNoise noise(request_.seed);
  const double sigma = noise_level(opened_);
  restored_ = restorer.denoise(numbers, sigma / (range_.high - range_.low), noise, item_.id, context.progress);
  numbers.reset();
  restored_.mul_(range_.high - range_.low).add_(range_.low);
  if (opened_.volume.padding.defined()) restored_ = at::where(opened_.volume.padding, voxels, restored_);
  description_ = "reseda " + request_.version + " medical " + request_.task + ", model " +
                 model.model.restoration.config().name + " " + model.sha256.substr(0, 12) + ", noise " +
                 short_number(noise_.sigma) + " " + units_of(opened_) + (request_.sigma ? "" : " (estimated)") +
                 ", seed " + std::to_string(request_.seed) + "; research use";
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

void RestoreJob::save() {
  if (scan_.series) {
    io::Derivation derivation = request_.derivation;
    derivation.description = description_;
    const io::DerivedSeries derived = io::write_derived_series(item_.staged, *scan_.series, restored_, derivation);
    clipped_ = derived.clamped;
  } else {
    io::Volume volume = opened_.volume;
    volume.voxels = restored_;
    io::VolumeWriting writing;
    writing.provenance = description_;
    const io::VolumeBytes encoded = io::encode_volume(item_.output, volume, writing);
    const io::Descriptor file(::open(item_.staged.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    RESEDA_REQUIRE(file.valid(), Errc::kOutput, item_.output.string(), ": cannot write: ", std::strerror(errno));
    io::write_bytes(file.get(), encoded.bytes, item_.output.string());
    clipped_ = encoded.clipped;
  }
  restored_.reset();
  opened_.volume = {};
}

ConfigNode RestoreJob::facts() const {
  ConfigNode facts = ConfigNode::map();
  facts["modality"] = ConfigNode(modality_name(opened_.modality));
  facts["noise"] = number(noise_.sigma);
  facts["clipped_voxels"] = ConfigNode(std::to_string(clipped_));
  facts["compute_seconds"] = number(seconds_);
  return facts;
}

}  // namespace reseda::medical
