#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace reseda::tests {

/// Writes the pickle of a checkpoint piece by piece, in the layout of torch before 1.6: values become program text, and
/// the tensors' bytes follow at the end. Small enough that every length fits one byte.
class TorchFile {
 public:
  using Items = std::vector<std::pair<std::string, std::string>>;

  static std::string text(const std::string& value) {
    return std::string("X") + static_cast<char>(value.size()) + std::string(3, '\0') + value;
  }
  static std::string number(int value) { return std::string("K") + static_cast<char>(value); }
  static std::string dict(const Items& items) {
    std::string out = "}(";
    for (const auto& [key, value] : items) out += text(key) + value;
    return out + "u";
  }
  static std::string list(const std::vector<std::string>& items) { return "](" + joined(items) + "e"; }
  static std::string tuple(const std::vector<std::string>& items) { return "(" + joined(items) + "t"; }
  /// What a pickle that calls a function says.
  static std::string call(const std::string& module, const std::string& name,
                          const std::vector<std::string>& arguments) {
    return "c" + module + "\n" + name + "\n" + tuple(arguments) + "R";
  }

  /// A float32 tensor of one dimension with a storage of its own (at most 127 elements).
  std::string tensor(const std::vector<float>& values) {
    return tensor("FloatStorage", {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)},
                  values.size());
  }
  /// One of any type, from its bytes.
  std::string tensor(const std::string& type, const std::string& bytes, std::size_t elements) {
    const std::string key = std::to_string(storages_.size());
    storages_.emplace_back(elements, bytes);
    const std::string count = number(static_cast<int>(elements));
    const std::string id = tuple({text("storage"), "ctorch\n" + type + "\n", text(key), text("cpu"), count, "N"}) + "Q";
    return call("torch._utils", "_rebuild_tensor_v2",
                {id, number(0), tuple({count}), tuple({number(1)}), "\x89", "ccollections\nOrderedDict\n)R"});
  }

  /// The whole file.
  std::string bytes(const std::string& root) const {
    const std::string begin = "\x80\x02";
    std::string out = begin + std::string("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.") + begin + "M\xe9\x03." +
                      begin + dict({{"protocol_version", "M\xe9\x03"}, {"little_endian", "\x88"}}) + "." + begin +
                      root + ".";
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < storages_.size(); ++i) keys.push_back(text(std::to_string(i)));
    out += begin + list(keys) + ".";
    for (const auto& [count, data] : storages_)
      out.append(reinterpret_cast<const char*>(&count), sizeof(count)).append(data);
    return out;
  }

 private:
  static std::string joined(const std::vector<std::string>& items) {
    std::string out;
    for (const std::string& item : items) out += item;
    return out;
  }
  std::vector<std::pair<std::uint64_t, std::string>> storages_;  ///< number of elements, bytes
};

}  // namespace reseda::tests
