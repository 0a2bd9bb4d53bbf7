#include "io/volume/slice_values.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "modules/core/error.hpp"

// Frames go in blocks that stay in the cache, through loops of which compilers make vector instructions: no branches
// and no calls inside.
namespace reseda::io::detail {
namespace {

constexpr std::size_t kBlock = 4096;
// float32 holds every integer up to here.
constexpr double kLargestExact = 16777216.0;
// Adding and subtracting 1.5 * 2^(p - 1), p the bits of the mantissa, rounds what is far smaller to the nearest
// integer, ties to even.
template <class Real>
constexpr Real kRounder = sizeof(Real) == 8 ? Real(6755399441055744.0) : Real(12582912.0);
// Within these limits that holds in float32.
constexpr double kLargestRounded = 1 << 21;
constexpr std::uint32_t kExponent = 0x7F800000;

bool is_whole(double x) { return x == std::floor(x); }

/// value = slope * stored + intercept, MONOCHROME1 folded into both.
struct Scale {
  double slope, intercept;
};

Scale scale_of(const DicomFrame& frame, const PixelFormat& format) {
  if (!format.monochrome1) return {frame.slope, frame.intercept};
  const double mirror = static_cast<double>(format.lowest()) + format.highest();
  return {-frame.slope, frame.slope * mirror + frame.intercept};
}

template <class Real>
void rescale_block(std::span<const std::int32_t> stored, const Scale& scale, float* values) {
  const Real slope = static_cast<Real>(scale.slope), intercept = static_cast<Real>(scale.intercept);
  for (std::size_t i = 0; i < stored.size(); ++i)
    values[i] = static_cast<float>(slope * static_cast<Real>(stored[i]) + intercept);
}

bool has_padding(std::span<const std::int32_t> stored, const PixelPadding& padding) {
  std::uint32_t found = 0;
  for (const std::int32_t value : stored) found |= static_cast<std::uint32_t>(padding.holds(value));
  return found != 0;
}

/// Where values go: stored = nearest((value - before) / divisor) - after, within low and high. In float32 nothing is
/// done before, and divisor is 1.
template <class Real>
struct Quantiser {
  Real before, divisor;
  std::int32_t after, low, high;
};

/// @param stored  on entry the source's, of which padding stays
template <bool kPadded, class Real>
void quantise_block(const Quantiser<Real>& quantiser, std::span<const float> values, const PixelPadding& padding,
                    std::int32_t* stored, QuantisedFrame& facts) {
  const auto [before, divisor, after, low, high] = quantiser;
  const Real least = static_cast<Real>(low + after - 1), most = static_cast<Real>(high + after + 1);
  std::int32_t clamped = 0, smallest = facts.smallest, largest = facts.largest;
  std::uint32_t infinite = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    infinite |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(values[i]) & kExponent) == kExponent);
    Real value = static_cast<Real>(values[i]);
    if constexpr (sizeof(Real) == 8) value = (value - before) / divisor;
    value = value > least ? value : least;
    value = value < most ? value : most;
    const std::int32_t whole = static_cast<std::int32_t>((value + kRounder<Real>)-kRounder<Real>) - after;
    std::int32_t limited = whole > low ? whole : low;
    limited = limited < high ? limited : high;
    std::int32_t outside = static_cast<std::int32_t>(whole != limited);
    if constexpr (kPadded) {
      const std::int32_t kept = -static_cast<std::int32_t>(padding.holds(stored[i]));
      limited = (stored[i] & kept) | (limited & ~kept);
      outside &= ~kept;
    }
    stored[i] = limited;
    clamped += outside;
    smallest = limited < smallest ? limited : smallest;
    largest = limited > largest ? limited : largest;
  }
  facts.clamped += clamped;
  facts.smallest = smallest;
  facts.largest = largest;
  facts.finite = facts.finite && infinite == 0;
}

template <class Real>
QuantisedFrame quantise_by(const Quantiser<Real>& quantiser, std::span<const float> values, const PixelFormat& format,
                           const PixelPadding* padding, const Samples& source, std::string& bytes) {
  QuantisedFrame frame{format.highest(), format.lowest()};
  bytes.resize(format.frame_bytes());
  std::array<std::int32_t, kBlock> room;
  for (std::size_t at = 0; at < values.size(); at += kBlock) {
    const std::size_t count = std::min(kBlock, values.size() - at);
    const std::span<std::int32_t> stored(room.data(), count);
    if (padding != nullptr) {
      unpack_samples(source, format, at, stored);
      quantise_block<true>(quantiser, values.subspan(at, count), *padding, stored.data(), frame);
    } else {
      quantise_block<false>(quantiser, values.subspan(at, count), {}, stored.data(), frame);
    }
    pack_samples(stored, format, bytes.data() + at * format.sample_bytes());
  }
  return frame;
}

}  // namespace

bool rescale(const Samples& samples, const DicomFrame& frame, const PixelFormat& format, const PixelPadding* padding,
             std::span<float> values) {
  const Scale scale = scale_of(frame, format);
  const bool exact = is_whole(scale.slope) && is_whole(scale.intercept) &&
                     std::abs(scale.slope) * 65536 + std::abs(scale.intercept) <= kLargestExact;
  std::array<std::int32_t, kBlock> room;
  bool padded = false;
  for (std::size_t at = 0; at < values.size(); at += kBlock) {
    const std::span<std::int32_t> stored(room.data(), std::min(kBlock, values.size() - at));
    unpack_samples(samples, format, at, stored);
    if (exact) {
      rescale_block<float>(stored, scale, values.data() + at);
    } else {
      rescale_block<double>(stored, scale, values.data() + at);
    }
    padded = padded || (padding != nullptr && has_padding(stored, *padding));
  }
  return padded;
}

QuantisedFrame quantise(std::span<const float> values, const DicomFrame& frame, const PixelFormat& format,
                        const PixelPadding* padding, const Samples& source, std::string& bytes) {
  RESEDA_INVARIANT(values.size() == format.frame_pixels());
  const auto [slope, intercept] = scale_of(frame, format);
  // Ties stay ties of the same parity when an even number is taken off after rounding instead of before.
  if (slope == 1 && is_whole(intercept / 2) && std::abs(intercept) <= kLargestRounded) {
    const Quantiser<float> quantiser{0, 1, static_cast<std::int32_t>(intercept), format.lowest(), format.highest()};
    return quantise_by(quantiser, values, format, padding, source, bytes);
  }
  const Quantiser<double> quantiser{intercept, slope, 0, format.lowest(), format.highest()};
  return quantise_by(quantiser, values, format, padding, source, bytes);
}

}  // namespace reseda::io::detail
