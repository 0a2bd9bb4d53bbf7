// What hostile files may cost: with little address space left they are refused by a rule, not by running out of it.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/unpickler.hpp"
#include "tests/io/checkpoint/torch_builder.hpp"
#include "tests/support/expect_error.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RESEDA_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define RESEDA_SANITIZED
#endif
#endif

namespace reseda::io {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using tests::Pickle;
using tests::span_of;

/// Lets the process grow by this much while it lives.
class MemoryLimit {
 public:
  explicit MemoryLimit(std::size_t mebibytes) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    ::getrlimit(RLIMIT_AS, &old_);
    rlimit tight = old_;
    tight.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (mebibytes << 20);
    ::setrlimit(RLIMIT_AS, &tight);
  }
  ~MemoryLimit() { ::setrlimit(RLIMIT_AS, &old_); }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  rlimit old_{};
};

class CheckpointMemory : public testing::Test {
 protected:
  void SetUp() override {
#ifdef RESEDA_SANITIZED
    GTEST_SKIP() << "sanitizers need the address space themselves";
#endif
  }
};

std::string repeated(const std::string& what, std::size_t times) {
  std::string out;
  out.reserve(what.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += what;
  return out;
}

void expect_refused(const std::string& reason, const std::string& program) {
  std::string pickle = program;
  const MemoryLimit limit(512);
  tests::expect_error(Errc::kCheckpoint, reason, [&] {
    ValueArena arena("a.pt");
    StorageView view;
    arena.storages.emplace_back().bytes = 8;
    arena.storages.back().dtype = at::kByte;
    view.bytes = 8;
    arena.views.push_back(view);
    Unpickler unpickler(arena, true,
                        [](PickleContext& context, std::uint32_t) { return context.add(CellKind::kStorage); });
    std::size_t consumed = 0;
    unpickler.read(span_of(pickle), "a.pt: data.pkl", consumed);
  });
}

TEST_F(CheckpointMemory, HostileProgramsStayWithinTheLimits) {
  expect_refused("values", repeated("]", 5 << 20));
  expect_refused("values", repeated("]Na", 5 << 20));
  expect_refused("values", repeated("U\x00"s, 5 << 20));
  expect_refused("items in all", repeated("}NNs0", 3 << 20));
  expect_refused("values on the stack", "N" + repeated("2", 17 << 20));
  expect_refused("items in all", "](" + repeated("N", 5 << 20) + "e");
  expect_refused("different names", [] {
    std::string names;
    for (int i = 0; i < 100'000; ++i) names += "ca\n" + std::to_string(i) + "\n0";
    return names;
  }());
  std::string far;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    far += 'r';
    tests::put(far, 0xFFFFFFFFU - 7 * i, 4);
  }
  expect_refused("scattered memo entries", "N" + far);
  // Tensors of 64 dimensions, made again and again from the same arguments.
  const std::string sizes = "(" + repeated("K\x01", 64) + "t";
  const std::string tensor = "ctorch._utils\n_rebuild_tensor\nq\x01(NQK\x00"s + sizes + sizes + "tq\x02";
  expect_refused("tensors", tensor + "R0" + repeated("h\x01h\x02R0", 300'000));
}

TEST_F(CheckpointMemory, LongNamesOfManyItemsAreNotSpelledOut) {
  // A key of a mebibyte above a million items: a terabyte of paths.
  std::string pickle =
      Pickle().raw("}").text(std::string(1 << 20, 'k')).raw("](" + repeated("N", 1 << 20) + "es").end();
  auto arena = std::make_shared<ValueArena>("a.pt");
  Unpickler unpickler(*arena, false, [](PickleContext&, std::uint32_t) { return 0U; });
  std::size_t consumed = 0;
  const Value root(arena, unpickler.read(span_of(pickle), "a.pt: data.pkl", consumed));
  const MemoryLimit limit(1024);
  tests::expect_error(Errc::kCheckpoint, "too large to list", [&] { flatten(root); });
}

TEST_F(CheckpointMemory, GoldenFilesNeedLittle) {
  const MemoryLimit limit(128);
  for (const auto& entry : fs::directory_iterator(fs::path(RESEDA_SOURCE_DIR) / "tests/golden/checkpoints")) {
    if (entry.path().extension() == ".md" || entry.path().extension() == ".json") continue;
    SCOPED_TRACE(entry.path().filename().string());
    try {
      for (const auto& [path, value] : flatten(read_checkpoint(entry.path(), {.opaque = true}).root))
        if (value.kind() == ValueKind::kTensor) value.tensor().contiguous();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kCheckpoint) << error.what();
    }
  }
}

}  // namespace
}  // namespace reseda::io
