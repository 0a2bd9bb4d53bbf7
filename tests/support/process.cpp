#include "tests/support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace reseda::tests {
namespace {

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  return ends;
}

/// Reads what is there. @return false at the end
bool drain(int descriptor, std::string& into) {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
  if (got > 0) into.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

}  // namespace

void sleep_ms(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

Process::Process(const std::vector<std::string>& command, const Setup& setup) {
  std::string program = command.front();
  if (program.find('/') == std::string::npos) program = std::string(RESEDA_BIN_DIR) + "/" + program;
  std::vector<char*> words = {program.data()};
  for (std::size_t i = 1; i < command.size(); ++i) words.push_back(const_cast<char*>(command[i].c_str()));
  words.push_back(nullptr);
  const auto in = make_pipe(), out = make_pipe(), err = make_pipe();
  pid_ = ::fork();
  if (pid_ == 0) {
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) std::signal(signal, SIG_DFL);
    if (!setup.folder.empty() && ::chdir(setup.folder.c_str()) != 0) ::_exit(99);
    for (const auto& [name, value] : setup.environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(setup.output_file.empty() ? out[1] : ::open(setup.output_file.c_str(), O_WRONLY), STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    ::execv(program.c_str(), words.data());
    ::_exit(98);
  }
  ::close(in[0]);
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
  std::signal(SIGPIPE, SIG_IGN);
  // The inputs of these tests fit into a pipe's buffer.
  if (!setup.input.empty() && ::write(in[1], setup.input.data(), setup.input.size()) < 0) sleep_ms(0);
  ::close(in[1]);
}

Process::~Process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
}

bool Process::catches(int signal) const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("SigCgt:")) return (std::stoull(line.substr(7), nullptr, 16) >> (signal - 1)) & 1;
  return false;
}

void Process::send(int signal) const { ::kill(pid_, signal); }

Outcome Process::wait(double seconds) {
  Outcome outcome;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  bool out_open = true, err_open = true;
  while (out_open || err_open) {
    std::array<pollfd, 2> streams = {pollfd{out_open ? out_ : -1, POLLIN, 0}, pollfd{err_open ? err_ : -1, POLLIN, 0}};
    ::poll(streams.data(), streams.size(), 50);
    if (streams[0].revents != 0) out_open = drain(out_, outcome.out);
    if (streams[1].revents != 0) err_open = drain(err_, outcome.err);
    if (std::chrono::steady_clock::now() > end) send(SIGKILL);
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

Outcome run(const std::vector<std::string>& command, const Process::Setup& setup) {
  return Process(command, setup).wait();
}

std::map<std::string, std::string> tree_of(const std::filesystem::path& folder, const std::string& leave_out) {
  std::map<std::string, std::string> files;
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (!entry.is_regular_file() || name.find(leave_out) != std::string::npos) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    files[name] = text.str();
  }
  return files;
}

}  // namespace reseda::tests
