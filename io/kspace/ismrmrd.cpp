#include "io/kspace/ismrmrd.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "modules/core/error.hpp"
#include "modules/core/log.hpp"

namespace reseda::io {
namespace {

constexpr std::int64_t kMostSide = 65535;

/// What stands between <name ...> and </name>, of the first element of this name; empty where there is none.
std::string_view element(std::string_view xml, std::string_view name) {
  for (std::size_t at = 0; (at = xml.find('<', at)) != std::string_view::npos; ++at) {
    const std::string_view rest = xml.substr(at + 1);
    if (!rest.starts_with(name) || rest.size() <= name.size()) continue;
    const char next = rest[name.size()];
    if (next != '>' && next != ' ' && next != '\t' && next != '\n' && next != '\r') continue;
    const std::size_t begin = rest.find('>');
    const std::size_t end = rest.find("</" + std::string(name) + '>', begin);
    if (begin == std::string_view::npos || end == std::string_view::npos) return {};
    return rest.substr(begin + 1, end - begin - 1);
  }
  return {};
}

/// The number at a path of elements, "encodedSpace/matrixSize/x".
double number_at(std::string_view xml, const std::string& path, const std::string& name) {
  std::string_view part = xml;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    part = element(part, std::string_view(path).substr(begin, end - begin));
    begin = end + 1;
  }
  while (!part.empty() && (part.front() == ' ' || part.front() == '\n' || part.front() == '\t')) part.remove_prefix(1);
  double value = 0;
  const auto read = std::from_chars(part.data(), part.data() + part.size(), value);
  RESEDA_REQUIRE(!part.empty() && read.ec == std::errc() && std::isfinite(value), Errc::kInput, name,
                 ": its header has no number at ", path);
  return value;
}

std::int64_t count_at(std::string_view xml, const std::string& path, std::int64_t least, const std::string& name) {
  const double value = number_at(xml, path, name);
  RESEDA_REQUIRE(value >= static_cast<double>(least) && value <= kMostSide && value == std::floor(value), Errc::kInput,
                 name, ": its header has ", value, " at ", path, ", it must be ", least, " to ", kMostSide);
  return static_cast<std::int64_t>(value);
}

bool is_image(const Acquisition& a) { return a.noise == 0 && a.skipped == 0; }

/// L^{-1} with L L^* the covariance of the coils' noise; undefined without noise scans.
at::Tensor whitening(const std::vector<Acquisition>& acquisitions, const at::Tensor& samples, std::int64_t channels) {
  std::vector<at::Tensor> noise;
  std::int64_t begin = 0;
  for (const Acquisition& a : acquisitions) {
    const std::int64_t size = std::int64_t{a.samples} * a.channels;
    if (a.noise != 0 && a.channels == channels) noise.push_back(samples.narrow(0, begin, size).reshape({channels, -1}));
    begin += size;
  }
  if (noise.empty()) return {};
  const at::Tensor all = at::cat(noise, 1).to(at::kComplexDouble);
  if (all.size(1) < 2 * channels) return {};
  const at::Tensor covariance = at::mm(all, all.conj().t()) / static_cast<double>(all.size(1));
  const at::Tensor size = at::real(covariance.diagonal()).mean();
  if (!(size.item<double>() > 0)) return {};
  const auto [factor, info] = at::linalg_cholesky_ex(covariance / size);
  if (info.item<int>() != 0) return {};
  return at::linalg_solve_triangular(factor, at::eye(channels, factor.options()), /*upper=*/false)
      .to(at::kComplexFloat);
}

/// Where the lines of the slices are put, and how often each was measured.
struct Grid {
  at::Tensor sum, count;  ///< [slices,coils,lines,readout], [slices,lines]
};

class Assembly {
 public:
  Assembly(const std::vector<Acquisition>& acquisitions, const at::Tensor& samples, const EncodingHeader& header,
           std::string name, const KspaceLimits& limits)
      : acquisitions_(acquisitions), samples_(samples), header_(header), name_(std::move(name)) {
    RESEDA_REQUIRE(header.trajectory.empty() || header.trajectory == "cartesian", Errc::kInput, name_,
                   ": its trajectory is ", header.trajectory, "; only cartesian ones are read");
    RESEDA_REQUIRE(header.encoded_z == 1, Errc::kInput, name_, ": 3-D encoding (", header.encoded_z,
                   " partitions) is not read");
    const auto first = std::find_if(acquisitions.begin(), acquisitions.end(), is_image);
    RESEDA_REQUIRE(first != acquisitions.end(), Errc::kInput, name_, ": holds no lines of an image");
    channels_ = first->channels;
    std::int64_t slices = 0;
    for (const Acquisition& a : acquisitions)
      if (is_image(a)) slices = std::max<std::int64_t>(slices, a.slice + 1);
    RESEDA_REQUIRE(channels_ >= 1 && slices >= 1 && slices <= 4096, Errc::kInput, name_, ": has ", channels_,
                   " channels and ", slices, " slices");
    width_ = std::min(header.shown_x, header.encoded_x);
    const double wanted = static_cast<double>(slices * channels_) * static_cast<double>(header.encoded_y * width_);
    RESEDA_REQUIRE(wanted <= static_cast<double>(limits.samples), Errc::kInput, name_, ": ", wanted,
                   " samples are more than the limit of ", limits.samples);
    // A header alone must not ask for more than the lines could fill a thousandth of.
    RESEDA_REQUIRE(wanted <= 1000.0 * static_cast<double>(std::max<std::int64_t>(samples.numel(), 1 << 14)),
                   Errc::kInput, name_, ": its header describes far more samples than it holds");
    grid_ = {at::zeros({slices, channels_, header.encoded_y, width_}, at::kComplexFloat),
             at::zeros({slices, header.encoded_y}, at::kFloat)};
  }

  Kspace run() {
    const at::Tensor white = whitening(acquisitions_, samples_, channels_);
    std::int64_t begin = 0;
    bool others = false;
    for (const Acquisition& a : acquisitions_) {
      const std::int64_t size = std::int64_t{a.samples} * a.channels;
      const bool wanted = is_image(a), first = a.contrast == 0 && a.phase == 0 && a.set == 0;
      others = others || (wanted && !first);
      if (wanted && first) put(a, samples_.narrow(0, begin, size), white);
      begin += size;
    }
    if (others) log::warning(name_, ": of its contrasts, phases and sets the first is reconstructed");
    const at::Tensor times = grid_.count.clamp_min(1).unsqueeze(1).unsqueeze(3);
    Kspace out;
    out.samples = grid_.sum / times;
    out.mask = grid_.count.gt(0).to(at::kFloat).unsqueeze(2).expand({-1, -1, width_}).contiguous();
    out.shown = {header_.shown_y, header_.shown_x};
    for (std::size_t i = 0; i < 2; ++i) {
      const double side = static_cast<double>(i == 0 ? header_.shown_x : header_.shown_y);
      if (header_.shown_mm[i] > 0) out.spacing_mm[i] = header_.shown_mm[i] / side;
    }
    if (header_.shown_mm[2] > 0) out.spacing_mm[2] = header_.shown_mm[2];
    out.format = "ISMRMRD";
    return out;
  }

 private:
  void put(const Acquisition& a, const at::Tensor& values, const at::Tensor& white) {
    RESEDA_REQUIRE(a.channels == channels_, Errc::kInput, name_, ": a line has ", a.channels, " channels, the first ",
                   channels_);
    const std::int64_t line = header_.encoded_y / 2 - header_.centre_line + a.line;
    RESEDA_REQUIRE(line >= 0 && line < header_.encoded_y && a.slice >= 0, Errc::kInput, name_, ": line ", a.line,
                   " lies outside the ", header_.encoded_y, " lines of its header");
    at::Tensor readout = values.reshape({channels_, a.samples});
    std::int64_t centre = a.centre;
    if (a.reversed != 0) {
      readout = readout.flip({1});
      centre = a.samples - 1 - centre;
    }
    const std::int64_t begin = header_.encoded_x / 2 - centre;
    RESEDA_REQUIRE(begin >= 0 && begin + a.samples <= header_.encoded_x, Errc::kInput, name_, ": a readout of ",
                   a.samples, " samples around ", a.centre, " does not fit into the ", header_.encoded_x,
                   " of its header");
    at::Tensor whole = at::zeros({channels_, header_.encoded_x}, at::kComplexFloat);
    whole.narrow(1, begin, a.samples).copy_(readout);
    if (white.defined()) whole = at::mm(white, whole);
    if (width_ < header_.encoded_x) whole = without_oversampling(whole, width_);
    grid_.sum[a.slice].select(1, line).add_(whole);
    grid_.count[a.slice][line].add_(1);
  }

  const std::vector<Acquisition>& acquisitions_;
  const at::Tensor& samples_;
  const EncodingHeader& header_;
  std::string name_;
  std::int64_t channels_ = 0, width_ = 0;
  Grid grid_;
};

}  // namespace

at::Tensor without_oversampling(const at::Tensor& readouts, std::int64_t width) {
  const auto shifted = [](const at::Tensor& x, std::int64_t by) { return x.roll({by}, {-1}); };
  const std::int64_t wide = readouts.size(-1);
  const at::Tensor image = shifted(at::fft_ifft(shifted(readouts, -(wide / 2)), std::nullopt, -1, "ortho"), wide / 2);
  const at::Tensor middle = image.narrow(-1, wide / 2 - width / 2, width);
  return shifted(at::fft_fft(shifted(middle, -(width / 2)), std::nullopt, -1, "ortho"), width / 2);
}

EncodingHeader parse_encoding_header(const std::string& xml, const std::string& name) {
  const std::string_view encoding = element(xml, "encoding");
  RESEDA_REQUIRE(!encoding.empty(), Errc::kInput, name, ": its header has no element 'encoding'");
  EncodingHeader out;
  out.encoded_x = count_at(encoding, "encodedSpace/matrixSize/x", 1, name);
  out.encoded_y = count_at(encoding, "encodedSpace/matrixSize/y", 1, name);
  out.encoded_z = count_at(encoding, "encodedSpace/matrixSize/z", 1, name);
  out.shown_x = count_at(encoding, "reconSpace/matrixSize/x", 1, name);
  out.shown_y = count_at(encoding, "reconSpace/matrixSize/y", 1, name);
  out.centre_line = out.encoded_y / 2;
  if (!element(element(element(encoding, "encodingLimits"), "kspace_encoding_step_1"), "center").empty())
    out.centre_line = count_at(encoding, "encodingLimits/kspace_encoding_step_1/center", 0, name);
  const std::string_view shown = element(element(encoding, "reconSpace"), "fieldOfView_mm");
  if (!shown.empty())
    out.shown_mm = {number_at(shown, "x", name), number_at(shown, "y", name), number_at(shown, "z", name)};
  out.trajectory = std::string(element(encoding, "trajectory"));
  return out;
}

Kspace assemble_slices(const std::vector<Acquisition>& acquisitions, const at::Tensor& samples,
                       const EncodingHeader& header, const std::string& name, const KspaceLimits& limits) {
  return Assembly(acquisitions, samples, header, name, limits).run();
}

}  // namespace reseda::io
