// A program of the same build as the real ones, for the round trip through a PACS: smooths a DICOM series.
//   derive_series IN OUT
#include <ATen/ATen.h>

#include <cstdio>

#include "io/volume/derived_series.hpp"

int main(int argc, char** argv) {
  using namespace reseda;
  if (argc != 3) return 2;
  try {
    const io::DicomListing listing = io::find_series(argv[1]);
    const io::DicomSeries& series = io::choose_series(listing, "", argv[1]);
    const at::Tensor voxels =
        io::read_series(series, {.accept = {io::Irregular::kUneven, io::Irregular::kMissing}, .limits = {}}).voxels;
    io::write_derived_series(argv[2], series, at::avg_pool2d(voxels, 3, 1, 1),
                             {.description = "means of 3 x 3 pixels", .software_version = "test"});
  } catch (const Error& error) {
    std::fprintf(stderr, "derive_series: %s\n", error.what());
    return error.exit_code();
  }
  return 0;
}
