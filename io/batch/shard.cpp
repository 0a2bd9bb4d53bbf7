#include "io/batch/shard.hpp"

#include <charconv>
#include <cstdlib>

#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::size_t kMaxShards = 1'000'000;

bool parse_count(const std::string& text, std::size_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

std::size_t from_environment(const char* name, const char* fallback) {
  const char* text = std::getenv(name);
  if (text == nullptr) text = fallback;
  std::size_t value = 0;
  RESEDA_REQUIRE(text != nullptr, Errc::kUsage, "--shard auto needs the variable ", name, " of a Slurm array job");
  RESEDA_REQUIRE(parse_count(text, value), Errc::kUsage, "--shard auto: ", name, " must be a whole number, got '", text,
                 "'");
  return value;
}

}  // namespace

Shard parse_shard(const std::string& text) {
  Shard shard;
  if (text.empty()) return shard;
  if (text == "auto") {
    const std::size_t id = from_environment("SLURM_ARRAY_TASK_ID", nullptr);
    const std::size_t first = from_environment("SLURM_ARRAY_TASK_MIN", "0");
    const std::size_t step = from_environment("SLURM_ARRAY_TASK_STEP", "1");
    shard.count = from_environment("SLURM_ARRAY_TASK_COUNT", nullptr);
    RESEDA_REQUIRE(step > 0 && id >= first && (id - first) % step == 0, Errc::kUsage, "--shard auto: task ", id,
                   " is not in an array that starts at ", first, " with step ", step);
    shard.index = (id - first) / step + 1;
  } else {
    const std::size_t slash = text.find('/');
    RESEDA_REQUIRE(slash != std::string::npos && parse_count(text.substr(0, slash), shard.index) &&
                       parse_count(text.substr(slash + 1), shard.count),
                   Errc::kUsage, "--shard must be i/n or auto, got '", text, "'");
  }
  RESEDA_REQUIRE(shard.count >= 1 && shard.count <= kMaxShards && shard.index >= 1 && shard.index <= shard.count,
                 Errc::kUsage, "--shard must have 1 <= i <= n, got ", shard.index, "/", shard.count);
  return shard;
}

}  // namespace reseda::io
