#include "pipelines/common/batch_run.hpp"

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <thread>

#include "io/batch/file_stamp.hpp"
#include "io/record/atomic_file.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/program.hpp"
#include "pipelines/common/terminal.hpp"

namespace reseda::app {
namespace {

/// Microseconds are more than enough in a record.
double rounded(double seconds) { return std::round(seconds * 1e6) / 1e6; }

/// Adds the time until its end to a sum.
class Stopwatch {
 public:
  explicit Stopwatch(double& sum) : sum_(sum) {}
  ~Stopwatch() { sum_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& sum_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

BatchRun::BatchRun(const BatchOptions& options, const OpenItem& open, const io::Plan& plan, const io::WorkKey& key,
                   io::Ledger* ledger)
    : options_(options),
      open_(open),
      plan_(plan),
      key_(key),
      ledger_(ledger),
      progress_(options.progress, plan.items.size()) {}

bool BatchRun::halted() const { return halt_ || stop_requested(); }

void BatchRun::give_up(const std::exception_ptr& error) {
  const std::lock_guard lock(mutex_);
  if (!fatal_) fatal_ = error;
  halt_ = true;
}

void BatchRun::report(const io::PlannedItem& item, const io::JsonObject& line, const ItemOutcome& outcome) {
  progress_.finish(outcome);
  if (!options_.json) return;
  const std::lock_guard lock(mutex_);
  if (fatal_) return;
  const std::string text =
      io::JsonObject().add("id", item.id).add("input", item.input.string()).add("output", item.output.string()).line();
  const std::string rest = line.line();  // both are "{...}": joined to one object
  std::fputs((text.substr(0, text.size() - 1) + ", " + rest.substr(1) + "\n").c_str(), stdout);
  if (std::fflush(stdout) == 0) return;
  // Not this item's failure: it is saved. Nobody reads what the run tells, so it ends.
  fatal_ = std::make_exception_ptr(
      Error(Errc::kOutput, std::string("standard output: cannot write: ") + std::strerror(errno)));
  halt_ = true;
}

void BatchRun::report_done_before() {
  for (const io::PlannedItem& item : plan_.items) {
    if (item.action != io::Action::kDone) continue;
    remove_leftover_output(item.output, item.folder);
    ++skipped_;
    report(item, io::JsonObject().add("status", "skipped"), {item.id, ItemOutcome::Status::kSkipped, 0});
  }
}

void BatchRun::open_ahead() {
  std::size_t index = 0;
  for (const io::PlannedItem& planned : plan_.items) {
    if (planned.action == io::Action::kDone) continue;
    if (halted()) break;
    Traveller traveller;
    traveller.plan = &planned;
    traveller.item = {planned.id, planned.input, planned.output, io::staged_name(planned.output), index++};
    try {
      const Stopwatch watch(traveller.seconds);
      remove_leftover_output(planned.output, planned.folder);
      traveller.input_stamp = io::input_stamp(planned.files);
      traveller.input_sha256 = io::files_sha256(planned.files);
      traveller.job = open_(traveller.item);
      RESEDA_INVARIANT(traveller.job != nullptr);
      refuse_companions(*traveller.job);
    } catch (...) {
      traveller.failure = std::current_exception();
    }
    if (!opened_.push(std::move(traveller))) break;
  }
  opened_.close();
}

void BatchRun::compute_here() {
  while (std::optional<Traveller> traveller = opened_.pop()) {
    if (halted()) break;
    if (traveller->failure) {
      fail(*traveller, traveller->failure);
      continue;
    }
    try {
      const Stopwatch watch(traveller->seconds);
      progress_.start(traveller->item.id);
      ItemContext context{traveller->item, [this](const Progress& progress) {
                            progress_.step(progress);
                            return !halted();
                          }};
      traveller->job->compute(context);
    } catch (...) {
      if (halted() && describe_exception(std::current_exception()).code == Errc::kInterrupted) break;
      fail(*traveller, std::current_exception());
      continue;
    }
    if (!computed_.push(std::move(*traveller))) break;
  }
  opened_.close();
  computed_.close();
}

void BatchRun::refuse_companions(const ItemJob& job) const {
  std::error_code error;
  for (const std::filesystem::path& name : job.companions()) {
    const std::filesystem::path file = name.has_filename() ? name : name.parent_path();
    RESEDA_REQUIRE(options_.overwrite || !std::filesystem::exists(std::filesystem::symlink_status(file, error)) ||
                       (ledger_ != nullptr && ledger_->matching(file) != nullptr),
                   Errc::kOutput, file.string(),
                   ": exists and was not written by this program, or was changed since; --overwrite replaces it");
  }
}

/// As further outputs of the item.
void BatchRun::record_companions(const std::vector<std::unique_ptr<BatchOutput>>& companions,
                                 const io::LedgerEntry& entry) {
  for (const auto& companion : companions) {
    io::LedgerEntry line = entry;
    line.output = ledger_->name_of(companion->target());
    line.output_sha256 = io::output_sha256(companion->staged());
    line.output_stamp = io::output_stamp(companion->staged());
    ledger_->write_done(line, {});
  }
}

void BatchRun::save(Traveller& traveller) {
  const io::PlannedItem& planned = *traveller.plan;
  io::LedgerEntry entry;
  io::ItemRecord record;
  {
    const Stopwatch watch(traveller.seconds);
    std::error_code error;
    if (planned.output.has_parent_path()) std::filesystem::create_directories(planned.output.parent_path(), error);
    BatchOutput output(planned.output, planned.folder);
    std::vector<std::unique_ptr<BatchOutput>> companions;
    for (const std::filesystem::path& name : traveller.job->companions()) {
      const bool folder = !name.has_filename();
      const std::filesystem::path file = folder ? name.parent_path() : name;
      if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), error);
      companions.push_back(std::make_unique<BatchOutput>(file, folder));
    }
    traveller.job->save();
    record.facts = traveller.job->facts();
    traveller.job.reset();
    output.sync();
    RESEDA_REQUIRE(io::input_stamp(planned.files) == traveller.input_stamp, Errc::kInput, planned.input.string(),
                   ": changed while it was being read");
    entry = {planned.id,
             "",
             traveller.input_sha256,
             traveller.input_stamp,
             io::output_sha256(output.staged()),
             io::output_stamp(output.staged()),
             key_};
    record.seconds = rounded(traveller.seconds);
    if (ledger_ != nullptr) {
      record_companions(companions, entry);
      entry.output = ledger_->name_of(planned.output);
      ledger_->write_done(entry, record);
    }
    for (const auto& companion : companions) companion->sync();
    for (const auto& companion : companions) companion->commit(io::Existing::kReplace);
    output.commit(planned.action == io::Action::kRedo ? io::Existing::kReplace : io::Existing::kRefuse);
  }
  {
    const std::lock_guard lock(mutex_);
    ++done_;
  }
  report(planned,
         io::JsonObject()
             .add("status", "done")
             .add("seconds", rounded(traveller.seconds))
             .add("output_sha256", entry.output_sha256)
             .add("facts", record.facts),
         {planned.id, ItemOutcome::Status::kDone, traveller.seconds});
}

void BatchRun::save_behind() {
  while (std::optional<Traveller> traveller = computed_.pop()) {
    try {
      save(*traveller);
    } catch (...) {
      fail(*traveller, std::current_exception());
    }
  }
}

void BatchRun::fail(const Traveller& traveller, const std::exception_ptr& error) {
  try {
    const io::PlannedItem& planned = *traveller.plan;
    const Failure failure = describe_exception(error);
    {
      const std::lock_guard lock(mutex_);
      ++failed_;
      codes_.insert(failure.code);
    }
    const bool named = failure.message.find(planned.input.string()) != std::string::npos ||
                       failure.message.find(planned.output.string()) != std::string::npos;
    print_line(program_name() + ": " + errc_name(failure.code) + ": " +
               one_line((named ? "" : planned.input.string() + ": ") + failure.message));
    if (options_.fail_fast) halt_ = true;
    if (ledger_ != nullptr)
      ledger_->write_failed(planned.id, {errc_name(failure.code), failure.message, rounded(traveller.seconds)});
    report(planned,
           io::JsonObject()
               .add("status", "failed")
               .add("code", errc_name(failure.code))
               .add("message", failure.message)
               .add("seconds", rounded(traveller.seconds)),
           {planned.id, ItemOutcome::Status::kFailed, traveller.seconds});
  } catch (...) {  // the ledger cannot be written: nothing of this run would be known
    give_up(std::current_exception());
  }
}

int BatchRun::exit_code() const {
  if (stop_requested()) return static_cast<int>(Errc::kInterrupted);
  if (failed_ == 0) return 0;
  return done_ == 0 && skipped_ == 0 && codes_.size() == 1 ? static_cast<int>(*codes_.begin()) : 1;
}

void BatchRun::summarize(double seconds) const {
  const std::size_t left = plan_.items.size() - done_ - skipped_ - failed_;
  const std::string counts = std::to_string(done_) + " done, " + std::to_string(skipped_) + " done before, " +
                             std::to_string(failed_) + " failed";
  if (left > 0)
    log::warning("stopped after ", duration_text(seconds), ": ", counts, ", ", left,
                 " left; the same command goes on from here");
  else if (plan_.items.size() > 1 || skipped_ > 0)
    log::info(plan_.items.size(), plan_.items.size() == 1 ? " item" : " items", " in ", duration_text(seconds), ": ",
              counts);
}

int BatchRun::run() {
  double seconds = 0;
  {
    const Stopwatch watch(seconds);
    report_done_before();
    // An exception that is no item's own ends the run, whichever thread it came from.
    const auto guarded = [this](void (BatchRun::*work)()) {
      try {
        (this->*work)();
      } catch (...) {
        give_up(std::current_exception());
        opened_.close();
        computed_.close();
      }
    };
    std::thread reader(guarded, &BatchRun::open_ahead);
    std::thread writer(guarded, &BatchRun::save_behind);
    guarded(&BatchRun::compute_here);
    reader.join();
    writer.join();
  }
  clear_status();
  if (fatal_) std::rethrow_exception(fatal_);
  summarize(seconds);
  return exit_code();
}

}  // namespace reseda::app
