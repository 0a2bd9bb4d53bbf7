// reseda medical reconstruct as real processes, on spectra and sinograms of a disc.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "io/array/npy.hpp"
#include "io/array/npy_writer.hpp"
#include "io/volume/volume.hpp"
#include "modules/core/noise.hpp"
#include "modules/inverse/coil_maps.hpp"
#include "modules/inverse/fourier.hpp"
#include "modules/inverse/operators/radon.hpp"
#include "modules/metrics/psnr.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::int64_t kSide = 64;

/// A disc with a smaller, brighter one inside.
at::Tensor disc() {
  const at::Tensor axis = (at::arange(kSide, at::kFloat) - 31.5) / 32;
  const at::Tensor y = axis.unsqueeze(1), x = axis.unsqueeze(0);
  const auto inside = [&](double cy, double cx, double r) {
    return ((y - cy).square() + (x - cx).square()).lt(r * r).to(at::kFloat);
  };
  return 0.5 * inside(0, 0, 0.8) + 0.4 * inside(0.2, -0.2, 0.3);
}

class ReconstructCli : public testing::Test {
 protected:
  void SetUp() override {
    const at::Tensor maps = inverse::birdcage_maps(4, kSide, kSide);
    at::Tensor full = inverse::centred_fft2(maps * disc());
    full = full + 0.002 * CounterNoise(1).normal({"scan", "noise"}, full.sizes(), at::kComplexFloat);
    mask_ = at::zeros({kSide});
    mask_.slice(0, kSide / 2 - 10, kSide / 2 + 10).fill_(1);
    mask_.slice(0, 0, kSide, 3).fill_(1);
    folder_.write("full.npy", io::npy_bytes(full));
    folder_.write("k.npy", io::npy_bytes(full * mask_));
    folder_.write("mask.npy", io::npy_bytes(mask_));
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Outcome reconstruct(std::vector<std::string> words) const {
    std::vector<std::string> all{"reseda-medical", "reconstruct", "--threads", "1"};
    all.insert(all.end(), words.begin(), words.end());
    return run(all);
  }
  double quality(const std::string& file) const {
    return metrics::psnr(disc().unsqueeze(0), io::read_npy(folder_ / file), 0.9);
  }
  at::Tensor mask_;
  TemporaryFolder folder_;
};

TEST_F(ReconstructCli, SparseWaveletsBeatLeastSquaresAndThatBeatsZeroFilling) {
  double before = 0;
  for (const char* method : {"zero-filled", "cg-sense", "wavelet-sense"}) {
    const std::string out = std::string(method) + ".npy";
    const Outcome run = reconstruct({path("k.npy"), "-o", path(out), "--method", method});
    ASSERT_EQ(run.code, 0) << run.err;
    ASSERT_EQ(io::read_npy(folder_ / out).sizes(), at::IntArrayRef({1, kSide, kSide}));
    EXPECT_GT(quality(out), before + 0.5) << method;
    before = quality(out);
  }
  EXPECT_GT(before, 27);
}

TEST_F(ReconstructCli, AMaskFileSaysWhatIsMeasured) {
  ASSERT_EQ(reconstruct({path("k.npy"), "-o", path("a.npy"), "--method", "cg-sense"}).code, 0);
  ASSERT_EQ(
      reconstruct({path("full.npy"), "-o", path("b.npy"), "--method", "cg-sense", "--mask", path("mask.npy")}).code, 0);
  EXPECT_EQ(folder_.read("a.npy"), folder_.read("b.npy"));
  const Outcome wrong = reconstruct({path("full.npy"), "-o", path("c.npy"), "--mask", path("full.npy")});
  EXPECT_EQ(wrong.code, 3);
  EXPECT_THAT(wrong.err, HasSubstr("a mask for this k-space"));
}

TEST_F(ReconstructCli, VolumesPicturesPredictionsAndFacts) {
  const Outcome out = reconstruct({path("k.npy"), "-o", path("v.nii.gz"), "--picture", path("v.png"), "--kspace-out",
                                   path("p.npy"), "--json", "--set", "kspace.iterations=10"});
  ASSERT_EQ(out.code, 0) << out.err;
  EXPECT_EQ(io::read_volume(folder_ / "v.nii.gz").voxels.sizes(), at::IntArrayRef({1, kSide, kSide}));
  EXPECT_THAT(folder_.read("v.png"), StartsWith("\x89PNG"));
  const at::Tensor predicted = io::read_npy(folder_ / "p.npy"), full = io::read_npy(folder_ / "full.npy");
  ASSERT_EQ(predicted.sizes(), full.sizes());
  const at::Tensor held = 1 - mask_;
  const double error =
      (((predicted - full) * held).abs().square().sum() / (full * held).abs().square().sum()).item<double>();
  EXPECT_LT(error, 0.35) << "1 is predicting nothing";
  EXPECT_THAT(out.out, HasSubstr("\"coils\""));
  EXPECT_THAT(out.out, HasSubstr("\"method\": \"wavelet-sense\""));
}

TEST_F(ReconstructCli, NothingIsOverwrittenUnasked) {
  folder_.write("there.npy", "mine");
  folder_.write("there.png", "mine");
  EXPECT_EQ(reconstruct({path("k.npy"), "-o", path("there.npy")}).code, 5);
  EXPECT_EQ(reconstruct({path("k.npy"), "-o", path("new.npy"), "--picture", path("there.png")}).code, 5);
  EXPECT_EQ(folder_.read("there.npy"), "mine");
  EXPECT_EQ(folder_.read("there.png"), "mine");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new.npy"));
  const Outcome dry = reconstruct({path("k.npy"), "-o", path("new.npy"), "--dry-run"});
  EXPECT_EQ(dry.code, 0) << dry.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new.npy"));
}

TEST_F(ReconstructCli, BadInputsAreOneLineAndExitCodeThree) {
  folder_.write("cut.npy", folder_.read("k.npy").substr(0, 5000));
  folder_.write("no.h5", "no HDF5 at all");
  folder_.write("empty.npy", io::npy_bytes(at::zeros({2, 32, 32}, at::kComplexFloat)));
  folder_.write("hollow.npy", io::npy_bytes(io::read_npy(folder_ / "full.npy") * at::eye(kSide)));
  for (const auto& [name, text] :
       {std::pair{"cut.npy", "needs"}, std::pair{"no.h5", "HDF5"}, std::pair{"empty.npy", "nothing of the spectrum"},
        std::pair{"hollow.npy", "coil maps need"}, std::pair{"absent.npy", "absent.npy"}}) {
    const Outcome out = reconstruct({path(name), "-o", path("out.npy"), "--progress", "none"});
    EXPECT_EQ(out.code, 3) << name << ": " << out.err;
    EXPECT_THAT(out.err, HasSubstr(text));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out.npy")) << name;
  }
  EXPECT_EQ(reconstruct({path("k.npy"), "-o", path("out.npy"), "--method", "magic"}).code, 2);
}

TEST_F(ReconstructCli, AnInterruptedRunLeavesNothingBehind) {
  Process process({"reseda-medical", "reconstruct", "--threads", "1", path("k.npy"), "-o", path("late.npy"), "--set",
                   "kspace.iterations=100000", "--progress", "json"});
  sleep_ms(1500);
  process.send(SIGINT);
  EXPECT_EQ(process.wait().code, 130);
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr("late"))) << "a leftover";
}

TEST_F(ReconstructCli, FewViewsAreReconstructedFromNumPyAndNrrd) {
  inverse::RadonConfig config;
  config.image = {1, kSide, kSide};
  config.rays.views = 24;
  config.rays.detectors = 91;
  config.rays.pixel = 2;
  const at::Tensor x = 0.02 * disc();
  const at::Tensor y = inverse::Radon(config).apply(x.unsqueeze(0).unsqueeze(0))[0][0].t().contiguous();
  folder_.write("s.npy", io::npy_bytes(y));
  io::write_volume(folder_ / "s.nrrd", {.voxels = y.unsqueeze(0)});
  const auto quality_of = [&](const std::string& input, const std::string& method) {
    const Outcome out = reconstruct({path(input), "--sinogram", "--angles", "0:7.5", "--pixel", "2", "--size", "64",
                                     "--method", method, "-o", path(method + ".npy"), "--overwrite"});
    EXPECT_EQ(out.code, 0) << out.err;
    return metrics::psnr(x.unsqueeze(0), io::read_npy(folder_ / (method + ".npy")), 0.018);
  };
  const double back_projected = quality_of("s.npy", "fbp"), sparse = quality_of("s.nrrd", "wavelet");
  EXPECT_GT(back_projected, 15);
  EXPECT_GT(sparse, back_projected + 2);
  EXPECT_EQ(reconstruct({path("s.npy"), "--sinogram", "--angles", "0:0", "-o", path("x.npy")}).code, 2);
  folder_.write("angles.txt", "0 1 2");
  const Outcome few = reconstruct({path("s.npy"), "--sinogram", "--angles", path("angles.txt"), "-o", path("x.npy")});
  EXPECT_EQ(few.code, 3);
  EXPECT_THAT(few.err, HasSubstr("3 angles"));
}

}  // namespace
}  // namespace reseda::tests
