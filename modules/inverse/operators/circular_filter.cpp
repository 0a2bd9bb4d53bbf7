#include "modules/inverse/operators/circular_filter.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "modules/core/error.hpp"
#ifdef RESEDA_FFTW
#include <fftw3.h>

#include <mutex>
#include <new>

#include "modules/core/parallel.hpp"
#include "modules/core/planner_lock.hpp"
#endif

namespace reseda::inverse {

#ifdef RESEDA_FFTW
/// FFTW's transforms of one image to its half spectrum and back, executed on buffers of the calling thread.
struct CircularFilter::Plans {
  fftwf_plan to_spectrum = nullptr, to_image = nullptr;
  std::int64_t pixels, bins;

  template <class T>
  using Buffer = std::unique_ptr<T, decltype(&fftwf_free)>;
  static Buffer<float> image_buffer(std::int64_t count) {
    Buffer<float> buffer(fftwf_alloc_real(static_cast<std::size_t>(count)), fftwf_free);
    if (buffer == nullptr) throw std::bad_alloc();
    return buffer;
  }
  static Buffer<fftwf_complex> spectrum_buffer(std::int64_t count) {
    Buffer<fftwf_complex> buffer(fftwf_alloc_complex(static_cast<std::size_t>(count)), fftwf_free);
    if (buffer == nullptr) throw std::bad_alloc();
    return buffer;
  }

  Plans(std::int64_t height, std::int64_t width) : pixels(height * width), bins(height * (width / 2 + 1)) {
    const auto image = image_buffer(pixels);
    const auto spectrum = spectrum_buffer(bins);
    const int h = static_cast<int>(height), w = static_cast<int>(width);
    const std::lock_guard guard(planner_lock());
    to_spectrum = fftwf_plan_dft_r2c_2d(h, w, image.get(), spectrum.get(), FFTW_ESTIMATE);
    to_image = fftwf_plan_dft_c2r_2d(h, w, spectrum.get(), image.get(), FFTW_ESTIMATE);
    RESEDA_INVARIANT(to_spectrum != nullptr && to_image != nullptr);
  }
  ~Plans() {
    const std::lock_guard guard(planner_lock());
    fftwf_destroy_plan(to_spectrum);
    fftwf_destroy_plan(to_image);
  }
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;

  /// @param transfer  already divided by the number of pixels, which FFTW does not do
  void filter(const float* x, const c10::complex<float>* transfer, float* y) const {
    const auto image = image_buffer(pixels);
    const auto spectrum = spectrum_buffer(bins);
    std::copy_n(x, pixels, image.get());
    fftwf_execute_dft_r2c(to_spectrum, image.get(), spectrum.get());
    auto* values = reinterpret_cast<c10::complex<float>*>(spectrum.get());
    for (std::int64_t k = 0; k < bins; ++k) values[k] *= transfer[k];
    fftwf_execute_dft_c2r(to_image, spectrum.get(), image.get());
    std::copy_n(image.get(), pixels, y);
  }
};
#else
struct CircularFilter::Plans {};
#endif

CircularFilter::CircularFilter(std::int64_t height, std::int64_t width) : height_(height), width_(width) {
#ifdef RESEDA_FFTW
  plans_ = std::make_unique<Plans>(height, width);
#endif
}
CircularFilter::~CircularFilter() = default;
CircularFilter::CircularFilter(CircularFilter&&) noexcept = default;

at::Tensor CircularFilter::operator()(const at::Tensor& x, const at::Tensor& transfer) const {
#ifdef RESEDA_FFTW
  const bool recorded = c10::GradMode::is_enabled() && x.requires_grad();
  if (x.is_cpu() && x.scalar_type() == at::kFloat && !recorded) {
    const at::Tensor in = x.contiguous(), out = at::empty_like(in, at::MemoryFormat::Contiguous);
    const at::Tensor scaled = (transfer / static_cast<double>(plans_->pixels)).to(at::kComplexFloat).contiguous();
    const float* from = in.const_data_ptr<float>();
    float* to = out.data_ptr<float>();
    const auto* factors = scaled.const_data_ptr<c10::complex<float>>();
    parallel_for(0, in.numel() / plans_->pixels, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first * plans_->pixels; i < last * plans_->pixels; i += plans_->pixels)
        plans_->filter(from + i, factors, to + i);
    });
    return out;
  }
#endif
  const at::Tensor factors = transfer.to(x.device(), at::toComplexType(x.scalar_type()));
  return at::fft_irfft2(at::fft_rfft2(x) * factors, at::IntArrayRef({height_, width_}));
}

at::Tensor transfer_function(const at::Tensor& kernel, std::int64_t height, std::int64_t width) {
  const at::Tensor wrapped = at::zeros({height, width}, at::kDouble);
  const std::int64_t up = kernel.size(0) / 2, left = kernel.size(1) / 2;
  for (std::int64_t i = 0; i < kernel.size(0); ++i) {
    const at::Tensor places = at::remainder(at::arange(kernel.size(1), at::kLong) - left, width);
    const std::int64_t row = ((i - up) % height + height) % height;
    wrapped[row].index_add_(0, places, kernel[i]);
  }
  return at::fft_fft2(wrapped);
}

}  // namespace reseda::inverse
