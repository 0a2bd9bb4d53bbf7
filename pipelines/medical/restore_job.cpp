#include "pipelines/medical/restore_job.hpp"

#include <ATen/ATen.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "io/record/file_bytes.hpp"
#include "io/record/sha256.hpp"
#include "modules/core/error.hpp"
#include "modules/core/log.hpp"
#include "pipelines/medical/restore_page.hpp"

namespace reseda::medical {
namespace {

ConfigNode number(double value) { return ConfigNode(number_text(value)); }

void write_staged(const std::filesystem::path& staged, const std::filesystem::path& target, std::string_view bytes) {
  const io::Descriptor file(::open(staged.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  RESEDA_REQUIRE(file.valid(), Errc::kOutput, target.string(), ": cannot write: ", std::strerror(errno));
  io::write_bytes(file.get(), bytes, target.string());
}

/// "2 to 3 of 5, the others as in the input"; empty: all of them.
std::string slices_text(const SliceRange& range, std::int64_t count) {
  const std::int64_t last = std::min(range.last.value_or(count), count);
  if (range.first == 1 && last == count) return "";
  return std::to_string(range.first) + " to " + std::to_string(last) + " of " + std::to_string(count) +
         ", the others as in the input";
}

/// Without its name, which may be a patient's.
std::string mask_text(const at::Tensor& mask, const std::filesystem::path& file) {
  return std::to_string(mask.sum().item<std::int64_t>()) + " of " + std::to_string(mask.numel()) +
         " voxels, the others as in the input, SHA-256 " + io::sha256_file(file).substr(0, 12);
}

}  // namespace

RestoreJob::RestoreJob(const Scan& scan, const RestoreRequest& request, ModelsByModality& models,
                       const app::BatchItem& item)
    : scan_(scan),
      request_(request),
      models_(models),
      item_(item),
      difference_(companion_place(request.difference, item.id, request.items)),
      deviation_(companion_place(request.deviation, item.id, request.items)),
      report_(companion_place(request.report, item.id, request.items)) {}

std::vector<std::filesystem::path> RestoreJob::companions() const {
  std::vector<std::filesystem::path> files;
  for (const auto& file : {difference_, deviation_, report_})
    if (!file.empty()) files.push_back(file);
  return files;
}

void RestoreJob::describe(const OpenedModel& model) {
  const restoration::RestorationModelConfig& config = model.model.restoration.config();
  const std::string noise = short_number(after_.noise.sigma) + " " + before_.units;
  const ConfigNode method = request_.asks_prior()                 ? write_config(request_.prior)
                            : request_.restorer.sampler.is_null() ? config.sampler
                                                                  : request_.restorer.sampler;
  words_ = {{"task", request_.task}, {"modality", modality_name(before_.modality)}};
  if (!request_.enlarges())
    words_.emplace_back(
        "noise", noise + (after_.measured ? ", measured (95 % interval " + short_number(after_.noise.low) + " to " +
                                                short_number(after_.noise.high) + ", from " +
                                                metrics::noise_site_name(after_.noise.site) + ")"
                                          : ", given"));
  if (request_.strength < 1) words_.emplace_back("strength", number_text(request_.strength));
  if (const std::string slices = slices_text(request_.slices, before_.volume.voxels.size(0)); !slices.empty())
    words_.emplace_back("slices", slices);
  if (before_.mask.defined()) words_.emplace_back("mask", mask_text(before_.mask, request_.mask));
  words_.insert(words_.end(), {{"model", config.name + ", SHA-256 " + model.sha256.substr(0, 12)},
                               {request_.asks_prior() ? "red-diff" : "sampler", method.to_json()},
                               {"seed", std::to_string(request_.seed)},
                               {"program", "reseda " + request_.version}});
  description_ = "reseda medical restore";
  for (const auto& [name, value] : words_) description_ += (name == "task" ? ": " : "; ") + name + " " + value;
}

void RestoreJob::compute(app::ItemContext& context) {
  const auto started = std::chrono::steady_clock::now();
  before_ = open_scan(scan_, request_);
  for (const auto& place : {difference_, deviation_})
    RESEDA_REQUIRE(before_.volume.even || place.empty() || names_folder(place), Errc::kUsage, item_.id,
                   ": its slices are not at equal distances, which NIfTI, NRRD and MetaImage cannot hold: give "
                   "--difference and --uncertainty folders, for series of DICOM");
  const OpenedModel& model = models_.of(before_.modality);
  after_ = restore_volume(before_, model, request_, item_.id, context.progress);
  describe(model);
  if (!report_.empty()) page_ = restore_page(item_.id, before_, after_, request_, words_);
  if (difference_.empty()) before_.volume.voxels.reset();
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

void RestoreJob::save_series() {
  io::Derivation derivation = request_.derivation;
  derivation.description = description_;
  derivation.refinement = request_.refinement();
  const io::DerivedSeries derived = io::write_derived_series(item_.staged, *scan_.series, after_.voxels, derivation);
  clipped_ = derived.clamped;
  stripped_ = derived.stripped;
}

void RestoreJob::save_file() {
  io::Volume volume = before_.volume;
  volume.voxels = after_.voxels;
  volume.geometry = refined(volume.geometry, request_.refinement());
  if (request_.derivation.strip_phi) volume.metadata.clear();
  io::VolumeWriting writing;
  writing.provenance = description_ + "; for research, not for diagnosis";
  const io::VolumeBytes encoded = io::encode_volume(item_.output, volume, writing);
  write_staged(item_.staged, item_.output, encoded.bytes);
  clipped_ = encoded.clipped;
}

void RestoreJob::save_volume(const Companion& companion, const at::Tensor& voxels) {
  const auto& [place, what, type, code, number] = companion;
  if (names_folder(place)) {
    io::Derivation derivation = request_.derivation;
    derivation.description = what + " in " + before_.units + "; " + description_;
    derivation.series_suffix += ": " + what;
    derivation.image_type = type;
    derivation.code = code;
    derivation.series_number_offset = number;
    derivation.scale = io::scale_for(voxels);
    io::write_derived_series(io::staged_name(place.parent_path()), *scan_.series, voxels, derivation);
    return;
  }
  io::Volume volume;
  volume.voxels = voxels;
  volume.geometry = before_.volume.geometry;
  io::VolumeWriting writing;
  writing.type = at::kFloat;
  writing.provenance = what + " in " + before_.units + "; " + description_;
  write_staged(io::staged_name(place), place, io::encode_volume(place, volume, writing).bytes);
}

void RestoreJob::save_companions() {
  if (!difference_.empty())
    save_volume({difference_, "restored - input", "SUBTRACTION", {"113062", "DCM", "Pixel by pixel subtraction"}, 2000},
                // In place: the input is not needed any more.
                at::sub_out(before_.volume.voxels, after_.voxels, before_.volume.voxels));
  if (!deviation_.empty())
    save_volume({deviation_,
                 "standard deviation of the restoration",
                 "STD_DEVIATION",
                 {"113061", "DCM", "Standard Deviation"},
                 3000},
                after_.deviation);
  if (!report_.empty()) write_staged(io::staged_name(report_), report_, page_);
}

void RestoreJob::save() {
  save_companions();
  if (scan_.series)
    save_series();
  else
    save_file();
  after_ = {.voxels = {}, .deviation = {}, .noise = after_.noise, .measured = after_.measured, .range = after_.range};
  before_.volume = {};
  if (clipped_ > 0)
    log::info(item_.id, ": ", clipped_, " voxels lay outside what the input's type can hold and were set to its limit");
}

ConfigNode RestoreJob::facts() const {
  ConfigNode facts = ConfigNode::map();
  facts["modality"] = ConfigNode(modality_name(before_.modality));
  facts["units"] = ConfigNode(before_.units);
  if (!request_.enlarges()) {
    facts["noise"] = number(after_.noise.sigma);
    facts["noise_low"] = number(after_.noise.low);
    facts["noise_high"] = number(after_.noise.high);
    facts["noise_from"] = ConfigNode(after_.measured ? metrics::noise_site_name(after_.noise.site) : "given");
  }
  facts["clipped_voxels"] = ConfigNode(std::to_string(clipped_));
  for (const auto& [what, count] : stripped_) facts["stripped"][what] = ConfigNode(std::to_string(count));
  facts["description"] = ConfigNode(description_);
  facts["compute_seconds"] = number(seconds_);
  return facts;
}

}  // namespace reseda::medical
