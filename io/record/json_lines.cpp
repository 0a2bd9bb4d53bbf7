#include "io/record/json_lines.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <vector>

#include "io/record/json.hpp"

namespace reseda::io {
namespace {
constexpr std::size_t kMaxLine = 1U << 20;
}

JsonObject& JsonObject::raw(std::string_view key, const std::string& json) {
  if (!body_.empty()) body_ += ", ";
  body_ += json_quoted(key) + ": " + json;
  return *this;
}

JsonObject& JsonObject::add(std::string_view key, std::string_view text) { return raw(key, json_quoted(text)); }
JsonObject& JsonObject::add(std::string_view key, std::int64_t number) { return raw(key, std::to_string(number)); }
JsonObject& JsonObject::add(std::string_view key, double number) {
  return raw(key, std::isfinite(number) ? number_text(number) : "null");
}
JsonObject& JsonObject::add(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
JsonObject& JsonObject::add(std::string_view key, const ConfigNode& tree) { return raw(key, tree.to_json()); }

JsonLinesFile::JsonLinesFile(std::filesystem::path path)
    : path_(std::move(path)), file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  RESEDA_REQUIRE(file_.valid(), Errc::kOutput, path_.string(), ": cannot write: ", std::strerror(errno));
  const off_t size = ::lseek(file_.get(), 0, SEEK_END);
  char last = '\n';
  if (size > 0 && ::pread(file_.get(), &last, 1, size - 1) == 1 && last != '\n')
    write_bytes(file_.get(), "\n", path_.string());
}

void JsonLinesFile::append(const std::string& line) { write_bytes(file_.get(), line + "\n", path_.string()); }

std::size_t read_json_lines(const std::filesystem::path& path, const std::function<void(const ConfigNode&)>& use) {
  const Descriptor in(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.valid() && errno == ENOENT) return 0;
  RESEDA_REQUIRE(in.valid(), Errc::kInput, path.string(), ": cannot read: ", std::strerror(errno));
  std::size_t left_out = 0;
  std::string line;
  bool too_long = false;
  const auto finish = [&] {
    if (line.empty() && !too_long) return;
    ConfigNode node;
    try {
      if (!too_long) node = parse_json(line, path.string(), Errc::kInput, {.bytes = kMaxLine});
    } catch (const Error&) {  // counted below
    }
    if (node.kind() == ConfigNode::Kind::kMap)
      use(node);
    else
      ++left_out;
    line.clear();
    too_long = false;
  };
  std::vector<char> buffer(1U << 16);
  while (true) {
    const ssize_t got = ::read(in.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    RESEDA_REQUIRE(got >= 0, Errc::kInput, path.string(), ": cannot read: ", std::strerror(errno));
    if (got == 0) break;
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(got))) {
      if (c == '\n') {
        finish();
      } else if (line.size() < kMaxLine) {
        line += c;
      } else {
        too_long = true;
      }
    }
  }
  return left_out + (line.empty() ? 0 : 1);
}

}  // namespace reseda::io
