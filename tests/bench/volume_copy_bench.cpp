#include <ATen/Parallel.h>
#include <fcntl.h>
#include <gdcmImageReader.h>
#include <gdcmImageWriter.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/record/file_bytes.hpp"
#include "io/volume/derived_series.hpp"

/// Reading a DICOM series and writing it again, voxels unchanged, against GDCM's own reader and writer file by file.
///   volume_copy_bench SERIES_FOLDER SCRATCH_FOLDER [ROUNDS]
/// Sides alternate; the fastest round of each counts. Ours finds, reads, checks, hashes and writes a derived series and
/// makes it durable (syncfs); GDCM reads each file and writes it in its own transfer syntax, without or with that sync.
namespace {

namespace fs = std::filesystem;
namespace io = reseda::io;

double seconds(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void make_durable(const fs::path& folder) {
  const io::Descriptor open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (::syncfs(open.get()) != 0) std::exit(1);
}

void copy_by_gdcm(const fs::path& in, const fs::path& out) {
  fs::create_directory(out);
  for (const auto& entry : fs::directory_iterator(in)) {
    gdcm::ImageReader reader;
    reader.SetFileName(entry.path().c_str());
    if (!reader.Read()) std::exit(1);
    gdcm::ImageWriter writer;
    writer.SetFile(reader.GetFile());
    writer.SetImage(reader.GetImage());
    writer.SetFileName((out / entry.path().filename()).c_str());
    if (!writer.Write()) std::exit(1);
  }
}

struct Phases {
  double find = 1e9, read = 1e9, write = 1e9, all = 1e9;
};

void copy_by_us(const fs::path& in, const fs::path& out, Phases& best) {
  io::DicomListing listing;
  io::Volume volume;
  const double find = seconds([&] { listing = io::find_series(in); });
  const io::DicomSeries& series = io::choose_series(listing, "", in.string());
  const double read = seconds([&] { volume = io::read_series(series); });
  const double write = seconds([&] {
    io::write_derived_series(out, series, volume.voxels, {.description = "copied", .software_version = "bench"});
  });
  best.find = std::min(best.find, find);
  best.read = std::min(best.read, read);
  best.write = std::min(best.write, write);
  best.all = std::min(best.all, find + read + write);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: volume_copy_bench SERIES_FOLDER SCRATCH_FOLDER [ROUNDS]\n");
    return 2;
  }
  const fs::path in = argv[1], scratch = argv[2];
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 5;
  Phases ours;
  double gdcm = 1e9, durable = 1e9;
  for (int round = 0; round < rounds; ++round) {
    const double copied = seconds([&] { copy_by_gdcm(in, scratch / "gdcm"); });
    const double synced = seconds([&] { make_durable(scratch / "gdcm"); });
    gdcm = std::min(gdcm, copied);
    durable = std::min(durable, copied + synced);
    fs::remove_all(scratch / "gdcm");
    copy_by_us(in, scratch / "reseda", ours);
    fs::remove_all(scratch / "reseda");
  }
  std::printf(
      "%d threads; seconds: reseda %.3f (find %.3f, read %.3f, write %.3f), GDCM %.3f, with sync %.3f; ratios %.2f, "
      "%.2f\n",
      at::get_num_threads(), ours.all, ours.find, ours.read, ours.write, gdcm, durable, ours.all / gdcm,
      ours.all / durable);
  return 0;
}
