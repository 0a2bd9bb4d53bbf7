#include "program_run.hpp"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace reseda::test {
namespace {

// Numbers of linux/capability.h: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH.
constexpr std::array<int, 2> kPowersOverPermissions = {1, 2};

std::filesystem::path new_file(const std::string& what) {
  std::string name = (std::filesystem::temp_directory_path() / ("reseda_cli_" + what + "_XXXXXX")).string();
  const int file = ::mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) throw std::runtime_error("cannot make " + name);
  ::close(file);
  return name;
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void put_on(int number, const char* path, int flags) {
  const int file = ::open(path, flags);
  if (file < 0 || ::dup2(file, number) < 0) ::_exit(126);
  ::close(file);
}

/// In the child, between fork and exec: system calls only.
void enter(const Surroundings& surroundings, const char* in, const char* out, const char* err) {
  put_on(STDIN_FILENO, in, O_RDONLY);
  put_on(STDOUT_FILENO, out, O_WRONLY);
  put_on(STDERR_FILENO, err, O_WRONLY);
  ::signal(SIGINT, SIG_DFL);
  if (surroundings.file_size_limit > 0) {
    const auto bytes = static_cast<rlim_t>(surroundings.file_size_limit);
    const rlimit limit{bytes, bytes};
    ::signal(SIGXFSZ, SIG_IGN);  // the write fails, as on a full disk
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(126);
  }
  if (surroundings.without_powers && ::geteuid() == 0)
    for (const int power : kPowersOverPermissions)
      if (::prctl(PR_CAPBSET_DROP, power, 0, 0, 0) != 0) ::_exit(126);
}

}  // namespace

RunningProgram::RunningProgram(const std::vector<std::string>& words, const Surroundings& surroundings)
    : out_(new_file("out")), err_(new_file("err")) {
  std::vector<std::string> copies = words;
  std::vector<char*> arguments;
  for (std::string& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string in = surroundings.standard_input.string(), out = out_.string(), err = err_.string();
  ::setenv("OMP_NUM_THREADS", "1", 0);
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  id_ = ::fork();
  if (id_ < 0) throw std::runtime_error("cannot fork");
  if (id_ == 0) {
    enter(surroundings, in.c_str(), out.c_str(), err.c_str());
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }
}

RunningProgram::~RunningProgram() {
  if (!ended_) {
    signal(SIGKILL);
    wait();
  }
  std::error_code ignored;
  std::filesystem::remove(out_, ignored);
  std::filesystem::remove(err_, ignored);
}

void RunningProgram::signal(int number) const { ::kill(id_, number); }

bool RunningProgram::ended() {
  if (!ended_) {
    siginfo_t state{};
    return ::waitid(P_PID, static_cast<id_t>(id_), &state, WEXITED | WNOHANG | WNOWAIT) == 0 && state.si_pid == id_;
  }
  return true;
}

Outcome RunningProgram::wait() {
  if (ended_) return outcome_;
  int status = 0;
  rusage usage{};
  while (::wait4(id_, &status, 0, &usage) < 0 && errno == EINTR) continue;
  ended_ = true;
  outcome_.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome_.out = text_of(out_);
  outcome_.err = text_of(err_);
  outcome_.peak_mib = static_cast<double>(usage.ru_maxrss) / 1024.0;
  return outcome_;
}

bool can_obey_permissions() {
  if (::geteuid() != 0) return true;
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int power : kPowersOverPermissions)
      if (::prctl(PR_CAPBSET_DROP, power, 0, 0, 0) != 0) ::_exit(1);
    ::_exit(0);
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace reseda::test
