#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/volume/dicom_series.hpp"
#include "io/volume/stored_scale.hpp"

namespace reseda::io {

/// Compression of written pixels; always without loss.
enum class DicomCompression { kNone, kRle, kJpegLs, kJpeg2000 };

/// A coded concept: value, scheme and meaning.
struct DicomCode {
  std::string value, scheme, meaning;
};

/// A grid finer than the source's, with the same field of view: each slice becomes `slices` ones, each pixel
/// `pixels` x `pixels` ones.
struct Refinement {
  std::int64_t slices = 1, pixels = 1;
};

/// What a derived series says about itself.
struct Derivation {
  std::string description;       ///< what was done, in words, e.g. "denoised by ...": DerivationDescription
  std::string software_version;  ///< of the program
  /// Everything else that the voxels depend on (config, model, seed); enters the UIDs, not the files.
  std::string identity = {};
  DicomCode code = {"113087", "DCM", "Smoothing"};  ///< of PS3.16 CID 7203: DerivationCodeSequence
  std::string series_suffix = "restored";           ///< appended to SeriesDescription
  std::string image_type = "RESTORED";              ///< fourth value of ImageType
  int series_number_offset = 1000;                  ///< added to SeriesNumber
  std::string date_time = {};  ///< "YYYYMMDDhhmmss" of the derivation; empty: files say no time of their creation
  DicomCompression compression = DicomCompression::kNone;
  Refinement refinement = {};
  std::optional<StoredScale> scale = {};  ///< nothing: values are stored as those of the source
  bool keep_private = false;              ///< keep private elements, whose meaning only their makers know
  bool strip_phi = false;                 ///< take out what identifies the patient (see detail::deidentify)
  std::string phi_key = {};               ///< secret from which UIDs are replaced then
};

struct DerivedSeries {
  std::string series_uid;
  std::vector<std::filesystem::path> files;
  std::int64_t clamped = 0;  ///< voxels outside what the source's bits and scale can hold, set to the limit
  std::map<std::string, int> stripped = {};  ///< what strip_phi did, and how often
};

/// Writes voxels as a new series in a new folder, which appears whole or not at all: one file for each file of the
/// source, named IM00001.dcm, ... in the order of the stack; of a multi-frame file only the frames of the series.
///   stored = nearest integer (ties to even) of (value - intercept) / slope, with the source's scale, bits and polarity
/// Unchanged voxels give the source's stored values, as does padding whatever the voxels are there. With a scale of its
/// own the series has no padding, and windows of that scale.
/// Kept: patient, study, frame of reference, positions (their very digits), acquisition, windows, units.
/// New: SOPInstanceUIDs and SeriesInstanceUID (functions of source, derivation and voxels: a repeated run gives
/// the same bytes, another result other UIDs), SeriesNumber and -Description, ImageType DERIVED\SECONDARY, derivation
/// and source images, contributing equipment. Gone: icons, curves, signatures, embedded overlays, private elements.
/// With a refinement of s slices and p pixels, single frames alone, slice k becomes the files of slices
/// k s ... k s + s - 1: positions move so that the field of view stays (x' of a pixel's corner is x), spacings and
/// SliceThickness are divided, InstanceNumber counts from 1; padding repeats. An uneven stack is divided by its local
/// steps; one with repeated or missing slices, or without positions, gets no finer slices.
/// @param voxels  [D s, H p, W p] float32 in the units of read_series, D slices in the order of `source`
/// @throws Error{kOutput}: the folder exists, lies in the source's folder or cannot be written, or the refinement is
///         impossible; Error{kInput}: the source has changed; Error{kNumeric}: NaN or infinite voxels
DerivedSeries write_derived_series(const std::filesystem::path& folder, const DicomSeries& source,
                                   const at::Tensor& voxels, const Derivation& derivation);

}  // namespace reseda::io
