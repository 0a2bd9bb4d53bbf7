#include "io/batch/file_stamp.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "io/record/sha256.hpp"

namespace reseda::io {
namespace {

std::string nanoseconds(const timespec& time) {
  return std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
}

std::string stamp(const std::filesystem::path& file, bool with_change_time) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return "";
  return std::to_string(facts.st_size) + "-" + std::to_string(facts.st_ino) + "-" + nanoseconds(facts.st_mtim) +
         (with_change_time ? "-" + nanoseconds(facts.st_ctim) : "");
}

/// Of several files: as long as one stamp.
std::string joint_stamp(const std::vector<std::filesystem::path>& files, bool with_change_time) {
  std::string stamps;
  for (const std::filesystem::path& file : files) {
    const std::string one = stamp(file, with_change_time);
    if (one.empty()) return "";
    stamps += file.filename().string() + " " + one + "\n";
  }
  return std::to_string(files.size()) + "-" + sha256(stamps);
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    files.push_back(entry->path());
  std::sort(files.begin(), files.end());
  return files;
}

bool is_folder(const std::filesystem::path& place) {
  std::error_code error;
  return std::filesystem::is_directory(place, error);
}

}  // namespace

std::string input_stamp(const std::filesystem::path& file) { return stamp(file, true); }

std::string input_stamp(const std::vector<std::filesystem::path>& files) {
  return files.size() == 1 ? stamp(files.front(), true) : joint_stamp(files, true);
}

std::string output_stamp(const std::filesystem::path& output) {
  return is_folder(output) ? joint_stamp(files_in(output), false) : stamp(output, false);
}

std::string files_sha256(const std::vector<std::filesystem::path>& files, Errc code) {
  if (files.size() == 1) return sha256_file(files.front(), code);
  std::string hashes;
  for (const std::filesystem::path& file : files)
    hashes += sha256_file(file, code) + " " + file.filename().string() + "\n";
  return sha256(hashes);
}

std::string output_sha256(const std::filesystem::path& output) {
  return is_folder(output) ? files_sha256(files_in(output), Errc::kOutput) : sha256_file(output, Errc::kOutput);
}

}  // namespace reseda::io
