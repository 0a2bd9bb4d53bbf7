#include "pipelines/common/signals.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace reseda::app {
namespace {

std::atomic<int> arrived{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void on_stop_signal(int) {
  if (arrived.fetch_add(1) > 0) ::_exit(static_cast<int>(Errc::kInterrupted));
}

void install(int signal) {
  struct sigaction old {};
  ::sigaction(signal, nullptr, &old);
  if (old.sa_handler == SIG_IGN) return;  // e.g. under nohup
  struct sigaction action {};
  action.sa_handler = &on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void install_signals() {
  install(SIGINT);
  install(SIGTERM);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit is a failed write, not a death
}

bool stop_requested() { return arrived.load(std::memory_order_relaxed) > 0; }

void throw_if_stopped() { RESEDA_REQUIRE(!stop_requested(), Errc::kInterrupted, "stopped by a signal"); }

}  // namespace reseda::app
