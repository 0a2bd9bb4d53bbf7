#include <ATen/Parallel.h>
#include <fcntl.h>
#include <gdcmImageReader.h>
#include <gdcmImageWriter.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "io/record/file_bytes.hpp"
#include "io/volume/derived_series.hpp"

/// Reading a DICOM series and writing it again, voxels unchanged, against GDCM's own reader and writer file by file.
///   volume_copy_bench SERIES_FOLDER SCRATCH_FOLDER [ROUNDS]
/// Sides alternate; of each the median of the rounds counts. Seconds are those of the wall clock and, in brackets, of
/// the processor (user and system, all threads), which other programs disturb less. Ours finds, reads, checks, hashes
/// and writes a derived series and makes it durable (syncfs); GDCM reads each file and writes it in its own transfer
/// syntax, and the same sync follows.
namespace {

namespace fs = std::filesystem;
namespace io = reseda::io;

/// Seconds of a phase, one value a round.
struct Times {
  std::vector<double> wall, processor;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void measure(Times& times, const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  const double processor = processor_seconds();
  run();
  times.processor.push_back(processor_seconds() - processor);
  times.wall.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
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

void make_durable(const fs::path& folder) {
  const io::Descriptor open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (::syncfs(open.get()) != 0) std::exit(1);
}

struct Ours {
  Times find, read, write, all;
};

void copy_by_us(const fs::path& in, const fs::path& out, Ours& ours) {
  measure(ours.all, [&] {
    io::DicomListing listing;
    io::Volume volume;
    measure(ours.find, [&] { listing = io::find_series(in); });
    const io::DicomSeries& series = io::choose_series(listing, "", in.string());
    measure(ours.read, [&] { volume = io::read_series(series); });
    measure(ours.write, [&] {
      io::write_derived_series(out, series, volume.voxels, {.description = "copied", .software_version = "bench"});
    });
  });
}

void print(const char* what, const Times& times) {
  std::printf("  %-16s %.3f (%.3f)\n", what, median(times.wall), median(times.processor));
}

/// The median of the rounds' ratios.
double ratio(const std::vector<double>& ours, const std::vector<double>& theirs) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < ours.size(); ++round) ratios.push_back(ours[round] / theirs[round]);
  return median(std::move(ratios));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: volume_copy_bench SERIES_FOLDER SCRATCH_FOLDER [ROUNDS]\n");
    return 2;
  }
  const fs::path in = argv[1], scratch = argv[2];
  const int rounds = argc > 3 ? std::max(1, std::atoi(argv[3])) : 5;
  Ours ours;
  Times gdcm, durable;
  for (int round = 0; round < rounds; ++round) {
    measure(durable, [&] {
      measure(gdcm, [&] { copy_by_gdcm(in, scratch / "gdcm"); });
      make_durable(scratch / "gdcm");
    });
    fs::remove_all(scratch / "gdcm");
    copy_by_us(in, scratch / "reseda", ours);
    fs::remove_all(scratch / "reseda");
  }
  std::printf("%d rounds, %d threads; medians in seconds, wall clock (processor)\n", rounds, at::get_num_threads());
  print("reseda", ours.all);
  print("  find", ours.find);
  print("  read", ours.read);
  print("  write and sync", ours.write);
  print("GDCM", gdcm);
  print("GDCM and sync", durable);
  std::printf("ratios to GDCM and sync: %.2f (%.2f)\n", ratio(ours.all.wall, durable.wall),
              ratio(ours.all.processor, durable.processor));
  return 0;
}
