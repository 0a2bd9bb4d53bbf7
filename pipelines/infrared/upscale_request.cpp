#include "pipelines/infrared/upscale_request.hpp"

#include "modules/core/error.hpp"

namespace reseda::infrared {
namespace {

constexpr std::int64_t kProgramBytes = std::int64_t{250} << 20;
/// Bytes of a pixel of the result, counted over what is held at once while a frame is computed, read and written.
constexpr std::int64_t kResultBytes = 44, kSampleBytes = 16, kMapBytes = 16;

}  // namespace

void UpscaleRequest::check(const Upscaler& upscaler) const {
  RESEDA_REQUIRE(samples == 1 || upscaler.adds_detail(), Errc::kUsage,
                 "--samples is for methods with a model: interpolations are the same");
  RESEDA_REQUIRE(samples <= kOrientations || upscaler.draws_noise(), Errc::kUsage, "--samples: at most ", kOrientations,
                 " in this mode, one for each orientation of the frame, got ", samples);
  RESEDA_REQUIRE(!uncertainty || upscaler.adds_detail(), Errc::kUsage,
                 "--uncertainty is for methods with a model: interpolation adds no detail to be uncertain of");
}

std::int64_t call_bytes(std::int64_t max_memory) { return (max_memory - kProgramBytes) / 2; }

std::int64_t memory_needed(std::int64_t height, std::int64_t width, const UpscaleRequest& request,
                           const Upscaler& upscaler) {
  const std::int64_t pixels = upscaler.scale() * upscaler.scale() * height * width;
  const std::int64_t each =
      kResultBytes + (request.samples > 1 ? kSampleBytes : 0) + (request.uncertainty ? kMapBytes : 0);
  return kProgramBytes + upscaler.working_bytes(height, width) + each * pixels;
}

std::filesystem::path uncertainty_file(const std::filesystem::path& output) {
  return output.string() + ".uncertainty.tif";
}

}  // namespace reseda::infrared
