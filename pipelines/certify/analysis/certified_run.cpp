#include "pipelines/certify/analysis/certified_run.hpp"

#include <map>

#include "io/record/file_bytes.hpp"
#include "modules/core/error.hpp"

namespace reseda::certify {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 30;

void require_images(const CertifiedRun& run) {
  RESEDA_REQUIRE(!run.rows.empty(), Errc::kInput, run.name, ": holds no image");
}

}  // namespace

std::vector<stats::CertifiedImage> CertifiedRun::images() const {
  std::vector<stats::CertifiedImage> out;
  for (const CohenRow& row : rows) out.push_back({row.correct(), row.radius.value_or(0.0)});
  return out;
}

CertifiedRun parse_log(const std::string& name, std::string_view text) {
  CertifiedRun run;
  run.name = name;
  try {
    CohenLog log = parse_cohen_log(text);
    run.rows = std::move(log.rows);
    run.other_correct = log.other_correct;
  } catch (const Error& error) {
    throw Error(error.code(), name + ": " + error.what());
  }
  require_images(run);
  return run;
}

CertifiedRun parse_records(const std::string& name, std::string_view text) {
  CertifiedRun run;
  run.name = name;
  std::map<std::int64_t, std::size_t> seen;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string where = name + ": line " + std::to_string(number);
    const std::size_t end = text.find('\n');
    RESEDA_REQUIRE(end != std::string_view::npos, Errc::kInput, where,
                   " has no end: the file was cut in the middle of it");
    const RecordWithSettings found = parse_record(std::string(text.substr(0, end)), where);
    text.remove_prefix(end + 1);
    if (!run.settings) run.settings = found.settings;
    const std::string difference = settings_difference(found.settings, *run.settings);
    RESEDA_REQUIRE(difference.empty(), Errc::kInput, where, " is of another run: ", difference);
    const auto [before, is_new] = seen.emplace(found.record.index, number);
    RESEDA_REQUIRE(is_new, Errc::kInput, where, ": image ", found.record.index, " is on line ", before->second, " too");
    run.rows.push_back(found.record.row());
  }
  require_images(run);
  return run;
}

CertifiedRun read_run(const std::filesystem::path& file, const std::string& name) {
  const std::string text = io::read_file(file, kMostBytes);
  CertifiedRun run = file.extension() == ".jsonl" ? parse_records(file.string(), text) : parse_log(file.string(), text);
  run.name = name.empty() ? file.stem().string() : name;
  return run;
}

std::string to_log(const CertifiedRun& run) {
  std::string text = cohen_header(run.has_radii()) + "\n";
  for (const CohenRow& row : run.rows) text += cohen_line(row) + "\n";
  return text;
}

}  // namespace reseda::certify
