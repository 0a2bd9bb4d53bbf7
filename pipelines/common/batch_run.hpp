#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "io/batch/plan.hpp"
#include "io/record/json_lines.hpp"
#include "pipelines/common/batch_output.hpp"
#include "pipelines/common/batch_progress.hpp"
#include "pipelines/common/batch_runner.hpp"
#include "pipelines/common/bounded_queue.hpp"
#include "pipelines/common/failure.hpp"

namespace reseda::app {

/// One planned run: three threads that hand items on (open, compute, save), and what they report.
class BatchRun {
 public:
  /// @param ledger  open for writing, or nullptr
  BatchRun(const BatchOptions& options, const OpenItem& open, const io::Plan& plan, const io::WorkKey& key,
           io::Ledger* ledger);
  /// @return the exit code as run_batch documents it
  int run();

 private:
  /// An item on its way through the threads.
  struct Traveller {
    const io::PlannedItem* plan = nullptr;
    BatchItem item;
    std::unique_ptr<ItemJob> job;
    std::string input_sha256, input_stamp;
    double seconds = 0;
    std::exception_ptr failure;
  };

  void report_done_before();
  void open_ahead();
  void compute_here();
  void save_behind();
  void refuse_companions(const ItemJob& job) const;
  void save(Traveller& traveller);
  void record_companions(const std::vector<std::unique_ptr<BatchOutput>>& companions, const io::LedgerEntry& entry);
  void fail(const Traveller& traveller, const std::exception_ptr& error);
  void report(const io::PlannedItem& item, const io::JsonObject& line, const ItemOutcome& outcome);
  void give_up(const std::exception_ptr& error);  ///< an error that is no item's own: the run ends with it
  bool halted() const;
  int exit_code() const;
  void summarize(double seconds) const;

  const BatchOptions& options_;
  const OpenItem& open_;
  const io::Plan& plan_;
  io::WorkKey key_;
  io::Ledger* ledger_;
  BatchProgress progress_;
  BoundedQueue<Traveller> opened_{2}, computed_{2};
  std::atomic<bool> halt_{false};
  std::mutex mutex_;
  std::exception_ptr fatal_;
  std::size_t done_ = 0, skipped_ = 0, failed_ = 0;
  std::set<Errc> codes_;
};

}  // namespace reseda::app
