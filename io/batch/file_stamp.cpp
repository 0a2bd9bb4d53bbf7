#include "io/batch/file_stamp.hpp"

#include <sys/stat.h>

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

}  // namespace

std::string input_stamp(const std::filesystem::path& file) { return stamp(file, true); }
std::string output_stamp(const std::filesystem::path& file) { return stamp(file, false); }

}  // namespace reseda::io
