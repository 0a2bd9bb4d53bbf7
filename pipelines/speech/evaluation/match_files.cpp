#include "pipelines/speech/evaluation/match_files.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <system_error>

#include "modules/core/error.hpp"

namespace reseda::speech {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kExtensions = {".wav", ".flac", ".ogg", ".opus", ".mp3"};

bool is_audio(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return !path.filename().string().starts_with('.') &&
         std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

/// Audio files below a folder as paths relative to it, sorted.
std::vector<std::string> audio_below(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code error;
  const auto options = fs::directory_options::follow_directory_symlink;
  for (fs::recursive_directory_iterator at(folder, options, error), end; !error && at != end; at.increment(error)) {
    if (at.depth() > 64) at.disable_recursion_pending();
    std::error_code ignored;
    if (at->is_regular_file(ignored) && is_audio(at->path()))
      found.push_back(at->path().lexically_relative(folder).generic_string());
  }
  RESEDA_REQUIRE(!error, Errc::kInput, folder.string(), ": ", error.message());
  std::sort(found.begin(), found.end());
  return found;
}

/// One of the compared folders.
struct Side {
  fs::path root;
  std::vector<std::string> files;
  NameIndex index;

  explicit Side(const fs::path& folder) : root(folder), files(audio_below(folder)) {
    for (std::size_t i = 0; i < files.size(); ++i) index.add(files[i], i);
  }

  /// Sets `partner` to the file for `name` of the side `of`, or adds to the item's problem.
  void partner(const std::string& name, const Side& of, const char* word, fs::path& partner,
               EvaluationItem& item) const {
    std::size_t i = 0;
    const NameIndex::Match match = index.find(name, of.index, i);
    if (match == NameIndex::Match::kOne)
      partner = root / files[i];
    else
      item.problem += std::string(item.problem.empty() ? "" : "; ") +
                      (match == NameIndex::Match::kNone ? "no " : "more than one ") + word + " file for it in " +
                      root.string();
  }
};

std::vector<EvaluationItem> match_folders(const EvaluationFolders& folders) {
  const Side clean(folders.clean), enhanced(folders.enhanced);
  std::vector<Side> noisy;
  if (!folders.noisy.empty()) noisy.emplace_back(folders.noisy);
  std::vector<EvaluationItem> items;
  for (const std::string& file : enhanced.files) {
    EvaluationItem item{.name = file, .clean = {}, .enhanced = {}, .noisy = {}, .problem = {}};
    enhanced.partner(file, enhanced, "enhanced", item.enhanced, item);
    clean.partner(file, enhanced, "clean", item.clean, item);
    for (const Side& side : noisy) side.partner(file, enhanced, "noisy", item.noisy, item);
    items.push_back(std::move(item));
  }
  for (const std::string& file : clean.files) {
    std::size_t ignored = 0;
    if (folders.subset || enhanced.index.find(file, clean.index, ignored) != NameIndex::Match::kNone) continue;
    items.push_back({.name = file,
                     .clean = clean.root / file,
                     .enhanced = {},
                     .noisy = {},
                     .problem = "no enhanced file for it in " + enhanced.root.string()});
  }
  std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  RESEDA_REQUIRE(!items.empty(), Errc::kInput, folders.enhanced.string(),
                 ": no audio files (wav, flac, ogg, opus, mp3)");
  return items;
}

}  // namespace

std::string without_extension(const std::string& relative_path) {
  return fs::path(relative_path).replace_extension().generic_string();
}

void NameIndex::add(const std::string& relative_path, std::size_t value) {
  for (Entry* entry : {&paths_[without_extension(relative_path)], &stems_[fs::path(relative_path).stem().string()]})
    *entry = {value, entry->count + 1};
}

NameIndex::Match NameIndex::find(const std::string& relative_path, const NameIndex& among, std::size_t& value) const {
  const std::string stem = fs::path(relative_path).stem().string();
  auto found = paths_.find(without_extension(relative_path));
  if (found == paths_.end()) {
    const auto asked = among.stems_.find(stem);
    found = stems_.find(stem);
    if (found == stems_.end() || asked == among.stems_.end() || asked->second.count > 1) return Match::kNone;
  }
  value = found->second.value;
  return found->second.count == 1 ? Match::kOne : Match::kSeveral;
}

std::vector<EvaluationItem> match_files(const EvaluationFolders& folders) {
  std::vector<fs::path> given = {folders.clean, folders.enhanced};
  if (!folders.noisy.empty()) given.push_back(folders.noisy);
  for (const fs::path& path : given) {
    std::error_code error;
    RESEDA_REQUIRE(fs::exists(path, error), Errc::kInput, path.string(), ": no such file or folder");
  }
  for (const fs::path& path : given)
    RESEDA_REQUIRE(fs::is_directory(path) == fs::is_directory(folders.enhanced), Errc::kInput, path.string(),
                   ": give folders throughout, or one file each");
  if (fs::is_directory(folders.enhanced)) return match_folders(folders);
  return {{.name = folders.enhanced.filename().string(),
           .clean = folders.clean,
           .enhanced = folders.enhanced,
           .noisy = folders.noisy,
           .problem = {}}};
}

}  // namespace reseda::speech
