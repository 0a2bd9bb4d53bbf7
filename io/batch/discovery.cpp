#include "io/batch/discovery.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <sstream>

#include "io/batch/glob.hpp"
#include "io/record/file_bytes.hpp"
#include "modules/core/error.hpp"
#include "modules/core/log.hpp"

namespace reseda::io {
namespace {

namespace fs = std::filesystem;
using FolderId = std::pair<dev_t, ino_t>;

constexpr std::size_t kMaxListBytes = 256U << 20;

bool folder_id(const fs::path& folder, FolderId& out) {
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0) return false;
  out = {facts.st_dev, facts.st_ino};
  return true;
}

std::string lower_name(const fs::path& path) {
  std::string out = path.filename().string();
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

/// All files below a folder. Links to folders wait until the real tree was walked, so that a file is found by its real
/// path where it has one; every folder is entered once, which also ends link loops.
class Walk {
 public:
  Walk(const DiscoveryOptions& options, bool deep) : deep_(deep) {
    FolderId id;
    for (const fs::path& folder : options.leave_out)
      if (folder_id(folder, id)) entered_.insert(id);
  }
  std::vector<fs::path> files;  ///< relative to the root
  std::size_t folders = 0;      ///< seen but not entered

  void run(const fs::path& root) {
    FolderId id;
    // The root itself is entered even where it is the output folder (-o . with a suffix).
    if (folder_id(root, id)) entered_.erase(id);
    enter(root, "");
    for (std::size_t next = 0; next < links_.size(); ++next) enter(root / links_[next], fs::path(links_[next]));
  }

 private:
  void enter(const fs::path& folder, const fs::path& relative) {
    FolderId id;
    if (folder_id(folder, id) && !entered_.insert(id).second) return;
    std::error_code error;
    std::vector<fs::directory_entry> entries;
    for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator(); it.increment(error))
      entries.push_back(*it);
    RESEDA_REQUIRE(!error || !relative.empty(), Errc::kInput, folder.string(),
                   ": cannot read the folder: ", error.message());
    if (error) log::warning(folder.string(), ": left out, cannot read the folder: ", error.message());
    std::sort(entries.begin(), entries.end());
    for (const fs::directory_entry& entry : entries) {
      const fs::path name = entry.path().filename();
      if (name.native().front() == '.') continue;
      std::error_code ignored;
      const bool link = entry.is_symlink(ignored);
      if (entry.is_directory(ignored)) {
        if (!deep_) {
          ++folders;
        } else if (link) {
          links_.push_back(relative / name);
        } else {
          enter(entry.path(), relative / name);
        }
      } else if (link || entry.is_regular_file(ignored)) {
        files.push_back(relative / name);
      }
    }
  }
  bool deep_;
  std::set<FolderId> entered_;
  std::vector<fs::path> links_;
};

class Finder {
 public:
  explicit Finder(const DiscoveryOptions& options) : options_(options) {}
  Discovery out;

  void add(const std::string& input) {
    std::error_code error;
    RESEDA_REQUIRE(!input.empty(), Errc::kInput, "an input is empty");
    const auto status = fs::status(input, error);
    if (input.front() == '@') {
      add_list(input.substr(1));
    } else if (fs::is_directory(status)) {
      add_folder(input, "");
    } else if (fs::exists(fs::symlink_status(input, error))) {
      add_file(input, fs::path(input).filename());
    } else {
      RESEDA_REQUIRE(is_glob(input), Errc::kInput, input, ": no such file or folder");
      add_glob(input, true);
    }
  }

 private:
  bool known(const fs::path& path) const {
    const auto& all = options_.extensions;
    const std::string name = lower_name(path);
    const auto ends = [&](const std::string& e) { return name.size() > e.size() && name.ends_with(e); };
    return all.empty() || std::any_of(all.begin(), all.end(), ends);
  }

  void add_file(const fs::path& path, const fs::path& id) {
    std::error_code error;
    const auto status = fs::status(path, error);
    RESEDA_REQUIRE(!fs::exists(status) || fs::is_regular_file(status), Errc::kInput, path.string(),
                   ": not a regular file (use - for standard input)");
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    const fs::path place = fs::canonical(folder, error) / path.filename();
    if (!places_.insert(place.native()).second) return;  // found by two inputs: the first one names it
    out.files.push_back({id.generic_string(), path, {}});
  }

  void add_folder(const fs::path& folder, const fs::path& prefix) {
    Walk walk(options_, options_.recursive);
    walk.run(folder);
    std::size_t taken = 0;
    for (const fs::path& file : walk.files) {
      if (!known(file)) continue;
      add_file(folder / file, prefix / file);
      ++taken;
    }
    RESEDA_REQUIRE(taken > 0, Errc::kInput, folder.string(), ": the folder holds no ", kinds(),
                   walk.folders > 0 ? "; -r also searches the folders in it" : "");
  }

  void add_glob(const std::string& pattern, bool relative_to_root) {
    const auto [root, rest] = split_glob(pattern);
    std::error_code error;
    RESEDA_REQUIRE(fs::is_directory(root, error), Errc::kInput, pattern, ": ", root.string(), " is no folder");
    const std::string_view last = rest.substr(rest.rfind('/') + 1);
    const bool any_kind = last.find('.') != last.npos;
    Walk walk(options_, rest.find('/') != rest.npos || rest == "**");
    walk.run(root);
    std::size_t taken = 0;
    for (const fs::path& file : walk.files) {
      if (!glob_match_path(rest, file) || !(any_kind || known(file))) continue;
      const fs::path path = root == "." ? file : root / file;
      add_file(path, relative_to_root ? file : path.relative_path());
      ++taken;
    }
    RESEDA_REQUIRE(taken > 0, Errc::kInput, pattern, ": matches no ", any_kind ? "file" : kinds());
  }

  void add_list(const std::string& list) {
    std::istringstream lines(read_file(list, kMaxListBytes));
    std::string line;
    std::size_t number = 0, taken = 0;
    while (std::getline(lines, line)) {
      ++number;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.empty()) continue;
      ++taken;
      const fs::path named = fs::path(line).lexically_normal().relative_path();
      std::error_code error;
      if (fs::is_directory(line, error)) {
        add_folder(line, outside(named) ? named.filename() : named);
      } else if (fs::exists(fs::symlink_status(line, error))) {
        add_file(line, outside(named) ? named.filename() : named);
      } else {
        RESEDA_REQUIRE(is_glob(line), Errc::kInput, list, ":", number, ": ", line, ": no such file or folder");
        add_glob(line, false);
      }
    }
    RESEDA_REQUIRE(taken > 0, Errc::kInput, list, ": the list is empty");
  }

  static bool outside(const fs::path& path) { return !path.empty() && *path.begin() == ".."; }

  std::string kinds() const {
    std::string all;
    for (const std::string& extension : options_.extensions) all += (all.empty() ? "" : ", ") + extension;
    return all.empty() ? "file" : all + " file";
  }

  const DiscoveryOptions& options_;
  std::set<std::string> places_;
};

}  // namespace

Discovery discover_inputs(const std::vector<std::string>& inputs, const DiscoveryOptions& options) {
  Finder finder(options);
  for (const std::string& input : inputs) finder.add(input);
  Discovery& out = finder.out;
  std::error_code error;
  out.one_file = inputs.size() == 1 && inputs.front().front() != '@' && out.files.size() == 1 &&
                 out.files.front().path == inputs.front() && !fs::is_directory(inputs.front(), error);
  std::sort(out.files.begin(), out.files.end(), [](const InputFile& a, const InputFile& b) { return a.id < b.id; });
  for (std::size_t i = 1; i < out.files.size(); ++i)
    RESEDA_REQUIRE(out.files[i].id != out.files[i - 1].id, Errc::kInput, out.files[i - 1].path.string(), " and ",
                   out.files[i].path.string(), " would both be called '", out.files[i].id,
                   "'; give the folder above them with -r");
  return std::move(out);
}

}  // namespace reseda::io
