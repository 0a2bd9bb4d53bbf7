#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "modules/metrics/noise_level.hpp"
#include "modules/metrics/noise_power_spectrum.hpp"
#include "pipelines/medical/evaluation/compared_scan.hpp"
#include "pipelines/medical/evaluation/slice_scores.hpp"

namespace reseda::medical {

/// What is compared with what.
struct ScanPair {
  std::string name;
  std::filesystem::path reference, restored, input;  ///< input empty: unknown
};

/// The volumes of a pair, of one shape.
struct ScanTriple {
  ComparedScan reference, restored;
  std::optional<ComparedScan> input;  ///< also left out, with a note, where it has another shape: scaling up
  std::vector<std::string> notes;
};

/// @throws Error{kInput} naming the file: unreadable, or of another shape than the reference
ScanTriple read_triple(const ScanPair& pair);

/// Which kind of scan it is. @param asked  "ct", "other", or "auto": DICOM's modality decides; of other files values
/// below -500, which only CT has
ScanKind kind_of(const ComparedScan& reference, const std::string& asked);

/// Peak and object of the reference volume, and its pixel spacing: that of the restored volume where it is a bare
/// array.
/// @throws Error{kInput} where the maximum is not positive and the kind needs it
SliceContext context_of(const ScanTriple& triple, ScanKind kind);

struct SliceScores {
  std::int64_t slice = 0;               ///< from 0
  std::vector<double> restored, input;  ///< in the order of scores_of(kind); input empty where there is none
};

/// An image of the triple as a whole.
struct ImageNoise {
  metrics::NoiseLevel level;  ///< estimated without the reference: Rician of MR and of unknown scans, else Gaussian
  metrics::NoisePowerSpectrum spectrum;  ///< of image - reference; of the reference empty
};

struct ScanScores {
  ScanKind kind = ScanKind::kOther;
  std::vector<std::int64_t> size;  ///< D, H, W
  bool spacing_known = false;      ///< false: frequencies are per pixel
  std::vector<SliceScores> slices;
  std::optional<GeometryDifference> geometry;  ///< none where a side has no geometry
  ImageNoise reference, restored;
  std::optional<ImageNoise> input;
  std::vector<std::string> notes;
};

/// Scores of a pair. Slices that are NaN throughout in the restored array are passed over, with a note.
/// @param between  called before each slice; may throw
/// @throws Error{kInput} as read_triple, context_of and score_slice
ScanScores score_scan(const ScanPair& pair, const std::string& kind, const std::function<void()>& between);

}  // namespace reseda::medical
