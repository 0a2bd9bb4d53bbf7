#include "pipelines/infrared/upscale_job.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "io/record/file_bytes.hpp"
#include "modules/core/byte_size.hpp"
#include "modules/core/error.hpp"
#include "modules/core/log.hpp"
#include "modules/signal/resize.hpp"

namespace reseda::infrared {
namespace {

ConfigNode number(double value) { return ConfigNode(number_text(value)); }
ConfigNode number(std::int64_t value) { return ConfigNode(std::to_string(value)); }

at::Tensor interpolated(const at::Tensor& low, std::int64_t scale) {
  return signal::resize(low, scale * low.size(2), scale * low.size(3), "pillow_bicubic");
}

void write_staged(const std::filesystem::path& staged, const std::string& target, std::string_view bytes) {
  const io::Descriptor file(::open(staged.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  RESEDA_REQUIRE(file.valid(), Errc::kOutput, target, ": cannot write: ", std::strerror(errno));
  io::write_bytes(file.get(), bytes, target);
}

std::string name_of(const app::BatchItem& item) { return item.id == "-" ? "standard input" : item.input.string(); }

}  // namespace

io::Image read_frame(const app::BatchItem& item, const UpscaleRequest& request) {
  io::ImageLimits limits;
  limits.samples = std::min(limits.samples, std::max<std::int64_t>(request.max_memory / 16, 1));
  if (item.id != "-") return io::read_image(item.input, limits);
  constexpr std::size_t kMostBytes = std::size_t{1} << 31;
  return io::decode_image(io::read_file(item.input, kMostBytes), name_of(item), limits);
}

UpscaleJob::UpscaleJob(const app::BatchItem& item, std::string noise_name, const io::Image& image,
                       const ValueRange& range, const UpscaleRequest& request, const Upscaler& upscaler,
                       NoiseSource& noise)
    : item_(item),
      noise_name_(std::move(noise_name)),
      request_(request),
      upscaler_(upscaler),
      noise_(noise),
      frame_(make_frame(image, range, name_of(item))),
      name_(name_of(item)) {
  const std::int64_t needed = memory_needed(frame_.height(), frame_.width(), request, upscaler);
  RESEDA_REQUIRE(needed <= request.max_memory, Errc::kUsage, name_, ": ", frame_.width(), " x ", frame_.height(),
                 " pixels enlarged ", upscaler.scale(), " times need ", bytes_text(needed), ", more than --max-memory ",
                 bytes_text(request.max_memory));
  check_output();
}

std::string UpscaleJob::extension() const {
  if (item_.output != "-") return item_.output.extension().string();
  if (!request_.extension.empty()) return request_.extension;
  const bool png = frame_.form.type == io::SampleType::kUnsigned && frame_.form.bits <= 16 &&
                   frame_.form.alpha != io::Alpha::kPremultiplied;
  return png ? ".png" : ".tif";
}

io::ImageWriteOptions UpscaleJob::writing() const {
  io::ImageWriteOptions options;
  options.jpeg_quality = request_.jpeg_quality;
  options.provenance = request_.provenance;
  return options;
}

/// A format that cannot hold the frame is found out before any work: by one pixel.
void UpscaleJob::check_output() const {
  io::Image pixel = frame_.form;
  pixel.metadata = {};
  pixel.pixels = at::zeros({frame_.channels + (frame_.alpha.defined() ? 1 : 0), 1, 1}, at::kFloat);
  try {
    io::encode_image(pixel, extension(), writing());
  } catch (const Error& error) {
    throw Error(error.code(), name_ + ": " + error.what());
  }
}

std::vector<std::filesystem::path> UpscaleJob::companions() const {
  if (!request_.uncertainty) return {};
  return {uncertainty_file(item_.output)};
}

void UpscaleJob::compute(app::ItemContext& context) {
  const auto started = std::chrono::steady_clock::now();
  const c10::NoGradGuard no_gradients;
  const at::Tensor& low = frame_.pixels;
  SampleStatistics samples = run_samples(upscaler_, low, request_.samples, {noise_, noise_name_, 0, context.progress});
  high_ = back_project(samples.mean, low, request_.consistency);
  if (request_.uncertainty)
    map_ = samples.deviation.defined() ? samples.deviation : (high_ - interpolated(low, upscaler_.scale())).abs_();
  agreement_ = check_result(high_, low, name_);
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

void UpscaleJob::save() {
  const std::string target = item_.output == "-" ? "standard output" : item_.output.string();
  const at::Tensor alpha = frame_.alpha.defined() ? interpolated(frame_.alpha, upscaler_.scale()) : at::Tensor();
  io::Image image = frame_image(frame_, high_, alpha);
  high_.reset();
  const io::EncodedImage encoded = io::encode_image(image, extension(), writing());
  write_staged(item_.staged, target, encoded.bytes);
  clipped_ = encoded.clipped;
  if (clipped_ > 0)
    log::info(item_.id, ": ", clipped_, " values lay outside what the frame's type can hold and were set to its limit");
  if (!request_.uncertainty) return;
  image.pixels = map_[0] * (frame_.range.span() / 2);
  image.bits = 32;
  image.type = io::SampleType::kFloat;
  image.alpha = io::Alpha::kNone;
  io::ImageWriteOptions options = writing();
  options.provenance += request_.samples > 1 ? "; standard deviation of the samples, in units of the frame"
                                             : "; distance from interpolation, in units of the frame";
  const std::filesystem::path file = uncertainty_file(item_.output);
  write_staged(io::staged_name(file), file.string(), io::encode_image(image, ".tif", options).bytes);
  map_.reset();
}

ConfigNode UpscaleJob::facts() const {
  const double unit = frame_.range.span() / 2;
  ConfigNode facts = ConfigNode::map();
  facts["width"] = number(upscaler_.scale() * frame_.width());
  facts["height"] = number(upscaler_.scale() * frame_.height());
  facts["bits"] = number(std::int64_t{frame_.form.bits});
  facts["range_low"] = number(frame_.range.low);
  facts["range_high"] = number(frame_.range.high);
  facts["mean_offset"] = number(agreement_.mean * unit);
  facts["rms_difference"] = number(agreement_.rms * unit);
  facts["clipped_values"] = number(clipped_);
  facts["compute_seconds"] = number(seconds_);
  return facts;
}

}  // namespace reseda::infrared
