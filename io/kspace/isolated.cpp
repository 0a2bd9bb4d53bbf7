#include "io/kspace/isolated.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "io/record/file_bytes.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kMostTable = 1 << 20;

std::uint64_t rounded_up(std::uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

/// Address space that this process has now.
std::uint64_t mapped_bytes() {
  std::uint64_t pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    unsigned long long read = 0;
    if (std::fscanf(file, "%llu", &read) == 1) pages = read;
    std::fclose(file);
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// At the soft limit of time the system sends SIGXCPU, at the hard one SIGKILL.
void limit(int resource, std::uint64_t soft, std::uint64_t hard) {
  const ::rlimit both{soft, hard};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

/// The child's whole life. Its exit code is 0 after `work`, 1 after an Error, which the table then ends with.
[[noreturn]] void live(const std::function<void(HandoverWriter&)>& work, int memory, int table,
                       const IsolationLimits& limits) {
  for (const int signal : {SIGINT, SIGTERM, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL, SIGXCPU})
    ::signal(signal, SIG_DFL);
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 5);
#if !defined(__SANITIZE_ADDRESS__)
  const std::uint64_t memory_bytes = mapped_bytes() + limits.working_bytes + limits.handed_bytes;
  limit(RLIMIT_AS, memory_bytes, memory_bytes);
#endif
  // What a dying library prints is no message of ours.
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
  int code = 0;
  try {
    HandoverWriter writer(memory, table, limits.handed_bytes);
    work(writer);
  } catch (const Error& error) {
    code = 1;
    const std::string line = "! " + std::to_string(error.exit_code()) + ' ' + error.what() + '\n';
    if (::write(table, line.data(), line.size()) < 0) code = 2;
  } catch (...) {
    code = 2;
  }
  ::_exit(code);
}

std::string read_all(int pipe) {
  std::string out;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(pipe, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return out;
    if (out.size() < kMostTable) out.append(buffer, static_cast<std::size_t>(got));
  }
}

[[noreturn]] void raise_line(const std::string& line) {
  std::istringstream words(line);
  int code = 0;
  words >> code;
  std::string message;
  std::getline(words >> std::ws, message);
  throw Error(static_cast<Errc>(code), message);
}

}  // namespace

Handover::~Handover() {
  if (begin_ != nullptr) ::munmap(begin_, size_);
}

const HandedArray* Handover::find(const std::string& name) const {
  for (const HandedArray& array : arrays_)
    if (array.name == name) return &array;
  return nullptr;
}

std::string Handover::text(const std::string& name) const {
  const HandedArray* array = find(name);
  if (array == nullptr) return "";
  return {reinterpret_cast<const char*>(array->bytes.data()), array->bytes.size()};
}

HandoverWriter::~HandoverWriter() = default;

void* HandoverWriter::add(const std::string& name, const std::vector<std::int64_t>& shape, std::size_t item_bytes) {
  std::uint64_t bytes = item_bytes;
  std::ostringstream line;
  line << "= " << name << ' ' << end_ << ' ' << item_bytes << ' ' << shape.size();
  for (const std::int64_t side : shape) {
    RESEDA_REQUIRE(side >= 0 && (side == 0 || bytes <= most_bytes_ / static_cast<std::uint64_t>(side)), Errc::kInput,
                   name, ": is larger than the limit of ", most_bytes_, " bytes");
    bytes *= static_cast<std::uint64_t>(side);
    line << ' ' << side;
  }
  line << '\n';
  RESEDA_REQUIRE(bytes <= most_bytes_ - end_, Errc::kInput, name, ": is larger than the limit of ", most_bytes_,
                 " bytes");
  const std::uint64_t size = std::max(rounded_up(bytes), kPage);
  RESEDA_REQUIRE(::ftruncate(memory_, static_cast<off_t>(end_ + size)) == 0, Errc::kInput, name,
                 ": there is no memory for ", bytes, " bytes");
  void* place = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_, static_cast<off_t>(end_));
  RESEDA_REQUIRE(place != MAP_FAILED, Errc::kInput, name, ": there is no memory for ", bytes, " bytes");
  end_ += size;
  write_bytes(table_, line.str(), "the table of arrays");
  return place;
}

void HandoverWriter::add_text(const std::string& name, const std::string& text) {
  std::memcpy(add(name, {static_cast<std::int64_t>(text.size())}, 1), text.data(), text.size());
}

std::shared_ptr<Handover> run_isolated(const std::function<void(HandoverWriter&)>& work, const std::string& name,
                                       const IsolationLimits& limits) {
  const Descriptor memory(::memfd_create("reseda", MFD_CLOEXEC));
  int ends[2];
  RESEDA_REQUIRE(memory.valid() && ::pipe2(ends, O_CLOEXEC) == 0, Errc::kInternal, name, ": ", std::strerror(errno));
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  const pid_t child = ::fork();
  RESEDA_REQUIRE(child >= 0, Errc::kDevice, name, ": no process to read it in: ", std::strerror(errno));
  if (child == 0) live(work, memory.get(), to.get(), limits);
  to.close();
  const std::string table = read_all(from.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM))
    throw Error(Errc::kInterrupted, "stopped");
  RESEDA_REQUIRE(!WIFSIGNALED(status) || WTERMSIG(status) != SIGXCPU, Errc::kInput, name,
                 ": takes too long to read; is it damaged?");

  auto out = std::make_shared<Handover>();
  struct ::stat facts {};
  ::fstat(memory.get(), &facts);
  out->size_ = static_cast<std::size_t>(facts.st_size);
  if (out->size_ > 0) {
    void* place = ::mmap(nullptr, out->size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, memory.get(), 0);
    RESEDA_REQUIRE(place != MAP_FAILED, Errc::kInput, name, ": there is no memory for it");
    out->begin_ = static_cast<std::byte*>(place);
  }
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("! ")) raise_line(line.substr(2));
    std::istringstream words(line.substr(std::min<std::size_t>(2, line.size())));
    HandedArray array;
    std::uint64_t begin = 0, bytes = 0;
    std::size_t axes = 0;
    words >> array.name >> begin >> array.item_bytes >> axes;
    bytes = array.item_bytes;
    for (std::size_t i = 0; i < axes && words; ++i) {
      std::int64_t side = 0;
      words >> side;
      array.shape.push_back(side);
      bytes *= static_cast<std::uint64_t>(side);
    }
    RESEDA_REQUIRE(words && begin <= out->size_ && bytes <= out->size_ - begin, Errc::kInput, name,
                   ": could not be read; is it damaged?");
    array.bytes = {out->begin_ + begin, static_cast<std::size_t>(bytes)};
    out->arrays_.push_back(std::move(array));
  }
  RESEDA_REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0, Errc::kInput, name,
                 ": its reader failed on it; is it damaged?");
  return out;
}

}  // namespace reseda::io
