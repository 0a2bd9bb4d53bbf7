#include "tests/golden/golden_kinds.hpp"

#include <array>

namespace reseda::golden {

// One declaration and one row per kind; kind_<name>.cpp defines it.
void run_blocks(GoldenCase& golden);
void run_net(GoldenCase& golden);
void run_weights(GoldenCase& golden);
void run_stft(GoldenCase& golden);
void run_sde(GoldenCase& golden);
void run_pc(GoldenCase& golden);
void run_ode(GoldenCase& golden);
void run_sb(GoldenCase& golden);
void run_transform(GoldenCase& golden);
void run_loss(GoldenCase& golden);
void run_train2(GoldenCase& golden);
#ifdef RESEDA_WITH_SPEECH
void run_enhance(GoldenCase& golden);
#endif
#ifdef RESEDA_WITH_AUDIO
void run_metrics(GoldenCase& golden);
#endif

namespace {

constexpr std::array kSystems = {
    std::string_view("sgmse"),
};

constexpr std::string_view kNeedsCheckpoint = "needs the reader of official checkpoints";

constexpr std::array kKinds = {
    Kind{"sgmse", "weights", run_weights},
    Kind{"sgmse", "stft", run_stft},
    Kind{"sgmse", "transform", run_transform},
    Kind{"sgmse", "blocks", run_blocks},
    Kind{"sgmse", "net", run_net},
    Kind{"sgmse", "sde", run_sde},
    Kind{"sgmse", "pc", run_pc},
    Kind{"sgmse", "ode", run_ode},
    Kind{"sgmse", "sb", run_sb},
#ifdef RESEDA_WITH_SPEECH
    Kind{"sgmse", "enhance", run_enhance},
#else
    Kind{"sgmse", "enhance", nullptr, "needs the speech pipeline (RESEDA_SNDFILE, FFTW)"},
#endif
    Kind{"sgmse", "loss", run_loss},
    Kind{"sgmse", "train2", run_train2},
#ifdef RESEDA_WITH_AUDIO
    Kind{"sgmse", "metrics", run_metrics},
#else
    Kind{"sgmse", "metrics", nullptr, "needs libsndfile (RESEDA_SNDFILE)"},
#endif
    Kind{"sgmse", "ckpt", nullptr, kNeedsCheckpoint},
    Kind{"sgmse", "script", nullptr, kNeedsCheckpoint},
};

}  // namespace

std::span<const std::string_view> systems() { return kSystems; }
std::span<const Kind> kinds() { return kKinds; }

}  // namespace reseda::golden
