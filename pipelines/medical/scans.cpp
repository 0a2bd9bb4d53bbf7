#include "pipelines/medical/scans.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>

#include "io/volume/dicom_file.hpp"
#include "io/volume/volume.hpp"
#include "modules/core/error.hpp"
#include "modules/core/log.hpp"
#include "pipelines/medical/modality.hpp"

namespace reseda::medical {
namespace {

namespace fs = std::filesystem;

/// Letters, digits and dashes.
std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool kept = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.';
    if (kept || (!out.empty() && out.back() != '-')) out += kept ? c : '-';
  }
  return out;
}

/// "series-4", "series-4-time-2". It tells nothing of the patient.
std::string series_name(const io::DicomSeries& series) {
  return "series-" + std::to_string(series.number) + (series.part.empty() ? "" : "-" + plain(series.part));
}

/// A folder or file with DICOM in it; of folders the first file with content decides nothing, all are looked at.
bool holds_dicom(const std::string& input, io::DicomListing& listing) {
  std::error_code error;
  const fs::file_status status = fs::status(input, error);
  if (!fs::is_directory(status) && (!fs::is_regular_file(status) || !io::volume_extension(input).empty())) return false;
  listing = io::find_series(input);
  return !listing.series.empty() || !listing.unreadable.empty();
}

/// Inside its source, a result would be found as part of it.
void check_output(const std::string& input, const std::string& output) {
  std::error_code error;
  if (output.empty() || !fs::is_directory(input, error)) return;
  const fs::path home = fs::weakly_canonical(input), target = fs::weakly_canonical(output);
  const auto [end, ignored] = std::mismatch(home.begin(), home.end(), target.begin(), target.end());
  const bool inside = end == home.end() || end->empty();
  RESEDA_REQUIRE(!inside, Errc::kOutput, output, ": lies in the input folder ", input,
                 ", where a result would be found as part of it; choose a folder beside it");
}

/// Where results will lie that are series or trees of files.
std::vector<std::string> output_folders(const ScanSearch& search) {
  std::vector<std::string> out;
  if (!search.output.empty()) out.push_back(search.output);
  for (const fs::path& companion : search.companions)
    if (!companion.empty() && !companion.has_filename()) out.push_back(companion.parent_path().string());
  return out;
}

io::InputFile input_of(const io::DicomSeries& series, const std::string& id) {
  io::InputFile input;
  input.id = id;
  for (const io::DicomSlice& slice : series.slices)
    if (std::find(input.files.begin(), input.files.end(), slice.file) == input.files.end())
      input.files.push_back(slice.file);
  input.path = input.files.size() == 1 ? input.files.front() : input.files.front().parent_path();
  return input;
}

/// The series of one input that are wanted.
std::vector<io::DicomSeries> wanted_series(const io::DicomListing& listing, const ScanSearch& search,
                                           const std::string& input) {
  if (!search.series.empty()) {
    const io::DicomSeries& chosen = io::choose_series(listing, search.series, input);
    RESEDA_REQUIRE(search.any_modality || find_modality(chosen.modality), Errc::kInput, input, ": series ",
                   chosen.number, " is of the modality ", chosen.modality.empty() ? "none" : chosen.modality,
                   ", not CT, MR or PT; --modality takes it for one of them");
    return {chosen};
  }
  std::vector<io::DicomSeries> wanted;
  for (const io::DicomSeries& series : listing.series) {
    const bool known = search.any_modality || find_modality(series.modality).has_value();
    if (known)
      wanted.push_back(series);
    else
      log::info(input, ": series ", series.number, " left out: its modality is ", series.modality,
                ", not CT, MR or PT");
  }
  RESEDA_REQUIRE(!wanted.empty(), Errc::kInput, input,
                 ": holds no series of CT, MR or PT; --modality takes the others");
  return wanted;
}

void add_series(std::vector<Scan>& scans, const io::DicomListing& listing, const ScanSearch& search,
                const std::string& input, const std::string& prefix) {
  for (const std::string& damage : listing.unreadable) {
    RESEDA_REQUIRE(search.skip_damaged, Errc::kInput, damage, "; --skip-damaged goes on without it");
    log::warning("left out: ", damage);
  }
  std::map<std::string, int> names;
  for (io::DicomSeries& series : wanted_series(listing, search, input)) {
    std::string id = prefix + series_name(series);
    if (const int times = ++names[id]; times > 1) id += "-" + std::to_string(times);
    scans.push_back({input_of(series, id), std::move(series)});
  }
}

/// That no series is cut into pieces because its files were named one by one. @param known  series of earlier inputs
void check_whole(const io::DicomListing& listing, std::set<std::string>& known, const std::string& input) {
  for (const io::DicomSeries& series : listing.series)
    RESEDA_REQUIRE(known.count(series.series_uid) == 0, Errc::kUsage, input,
                   ": belongs to a series of another input; give the folder of both instead");
  for (const io::DicomSeries& series : listing.series) known.insert(series.series_uid);
}

}  // namespace

std::vector<Scan> find_scans(const std::vector<std::string>& inputs, const ScanSearch& search) {
  std::vector<Scan> scans;
  std::vector<std::string> others;
  std::set<std::string> known;
  for (const std::string& input : inputs) {
    io::DicomListing listing;
    if (!holds_dicom(input, listing)) {
      others.push_back(input);
      continue;
    }
    for (const std::string& folder : output_folders(search)) check_output(input, folder);
    check_whole(listing, known, input);
    const std::string prefix =
        inputs.size() == 1 ? "" : fs::weakly_canonical(input).filename().replace_extension().string() + "/";
    add_series(scans, listing, search, input, prefix);
  }
  if (!others.empty()) {
    io::DiscoveryOptions options{search.recursive, io::volume_extensions(), {}};
    for (const std::string& folder : output_folders(search)) options.leave_out.emplace_back(folder);
    for (io::InputFile& file : io::discover_inputs(others, options).files) {
      io::DicomListing slice;
      RESEDA_REQUIRE(!holds_dicom(file.path.string(), slice), Errc::kUsage, file.path.string(),
                     ": is a part of a DICOM series; give its folder in place of a pattern or list");
      scans.push_back({std::move(file), {}});
    }
  }
  std::sort(scans.begin(), scans.end(), [](const Scan& a, const Scan& b) { return a.input.id < b.input.id; });
  for (std::size_t k = 1; k < scans.size(); ++k)
    RESEDA_REQUIRE(scans[k].input.id != scans[k - 1].input.id, Errc::kInput, scans[k - 1].input.path.string(), " and ",
                   scans[k].input.path.string(), " would both be called '", scans[k].input.id,
                   "'; give the folder above them");
  return scans;
}

io::Discovery items_of(const std::vector<Scan>& scans, const std::vector<std::string>& inputs) {
  io::Discovery found;
  for (const Scan& scan : scans) found.files.push_back(scan.input);
  found.one_file = inputs.size() == 1 && scans.size() == 1 && scans.front().input.path == inputs.front() &&
                   std::filesystem::is_regular_file(inputs.front());
  return found;
}

}  // namespace reseda::medical
