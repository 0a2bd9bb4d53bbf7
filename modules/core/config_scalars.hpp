#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "modules/core/config_node.hpp"

/// The steps of ConfigReader and ConfigWriter that do not depend on the struct, and what they ask of types. Errors are
/// kUsage and name the dotted key, the rule, the value and where it was read.
namespace reseda {
namespace detail {
void read_scalar(const ConfigNode& node, const std::string& path, bool& out);
void read_scalar(const ConfigNode& node, const std::string& path, std::int64_t& out);
void read_scalar(const ConfigNode& node, const std::string& path, double& out);
void read_scalar(const ConfigNode& node, const std::string& path, std::string& out);
std::string place_of(const ConfigNode& node);  // " (file:line)" or ""
std::string scalar_text(bool value);
std::string scalar_text(std::int64_t value);
std::string scalar_text(double value);
std::string scalar_text(const std::string& value);
void check_keys(const ConfigNode& node, const std::string& path, const std::vector<std::string>& known);
inline std::string join_path(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
struct AnyVisitor {
  template <class T>
  void operator()(const char*, T&, const char*) {}
};
template <class T>
concept HasFields = requires(T t, AnyVisitor v) {
  t.fields(v);
};
}  // namespace detail
}  // namespace reseda
