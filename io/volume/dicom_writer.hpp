#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/volume/dicom_dataset.hpp"

namespace reseda::io::detail {

/// Pixel data to write, one piece a frame.
struct DicomPixels {
  std::string transfer_syntax;  ///< UID: explicit little endian, or of a compression
  std::vector<std::string> pieces;
  int allocated = 16;  ///< bits of a sample
};

/// A whole DICOM file (PS3.10): preamble, file meta information, data set in explicit little endian, pixel data.
/// Sequences and items have their lengths; the same data set gives the same bytes. @param put  takes parts in order
void put_dicom(const DicomDataset& dataset, const DicomPixels& pixels,
               const std::function<void(std::string_view)>& put);

}  // namespace reseda::io::detail
