#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "io/volume/derived_series.hpp"
#include "pipelines/medical/modality.hpp"
#include "pipelines/medical/prior_restorer.hpp"
#include "pipelines/medical/volume_restorer.hpp"

namespace reseda::medical {

/// Slices of a stack, counted from 1, both included.
struct SliceRange {
  std::int64_t first = 1;
  std::optional<std::int64_t> last = {};  ///< nothing: to the end
  bool holds(std::int64_t index_from_0) const {
    return index_from_0 + 1 >= first && (!last || index_from_0 + 1 <= *last);
  }
};

/// "A:B", "A:", ":B" or "A". @throws Error{kUsage}
SliceRange parse_slices(const std::string& text);

/// What is done to every volume of a run.
struct RestoreRequest {
  std::string task = "denoise";               ///< denoise, sr-inplane, sr-through
  std::string engine = "residual-diffusion";  ///< or red-diff
  std::optional<Modality> modality = {};
  std::optional<double> sigma = {};  ///< of the noise, in units of the volume; nothing: measured
  double strength = 1;               ///< share of the restored volume; the rest is the input
  SliceRange slices = {};            ///< of denoising; the others stay as they are
  std::filesystem::path mask = {};   ///< a volume; where it is 0 the input stays
  int samples = 8;                   ///< restorations from which the deviation is taken
  VolumeRestorerConfig restorer = {};
  PriorRestorerConfig prior = {};  ///< of red-diff
  std::uint64_t seed = 0;
  std::int64_t max_memory = 0;  ///< bytes; 0: any
  std::size_t items = 1;        ///< volumes of the run: one is computed while others are written
  /// Further files; empty: none.
  std::filesystem::path difference = {}, deviation = {}, report = {};
  io::Derivation derivation = {};  ///< without the description
  std::string version = {};        ///< of the program

  bool enlarges() const { return task != "denoise"; }
  bool asks_prior() const { return engine == "red-diff"; }
  io::Refinement refinement() const { return {task == "sr-through" ? 2 : 1, task == "sr-inplane" ? 2 : 1}; }
};

/// Slices of a volume of D x H x W that are restored at the same time, each on one thread: as many as there are threads
/// and as fit into max_memory, but one.
std::int64_t threads_used(const std::array<std::int64_t, 3>& size, const RestoreRequest& request);

/// Bytes that restoring it takes at most with these threads, this program and its model included.
std::int64_t memory_needed(const std::array<std::int64_t, 3>& size, const RestoreRequest& request);

/// What red-diff costs for a volume of D x H x W.
struct PriorWork {
  std::int64_t calls = 0;   ///< of the network
  std::int64_t pixels = 0;  ///< of one call, at most
  double seconds = 0;       ///< on one core of a CPU, as measured: docs/medical.md
};
PriorWork prior_work(const std::array<std::int64_t, 3>& size, const RestoreRequest& request);

/// Where a difference or an uncertainty goes: a file by a volume's extension (io::volume_extension), else a folder, for
/// a derived series of DICOM, with '/' at its end.
std::filesystem::path volume_or_folder(const std::filesystem::path& name);

/// Whether a place ends in '/'.
bool names_folder(const std::filesystem::path& place);

/// The place of one of several items: `place`, with the item's name at the end of a folder's name, or before a file's
/// extension, where there are more items. "out/diff.nii.gz" of "a/series-2" becomes "out/diff-a-series-2.nii.gz", and
/// "out.v1/" becomes "out.v1-a-series-2/".
std::filesystem::path companion_place(const std::filesystem::path& place, const std::string& item, std::size_t items);

}  // namespace reseda::medical
