#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "modules/core/config_node.hpp"

namespace reseda::io {

/// Bounds on a parsed tree, so that a hostile file ends in an error and not in memory or time.
struct TreeLimits {
  std::size_t bytes = 1U << 20;
  std::size_t depth = 32;
  std::size_t nodes = 100'000;
  std::size_t keys = 10'000;  ///< of one map
};

/// Builds a ConfigNode from a parser's events. Refuses duplicate keys, keys that are not plain words, and anything
/// beyond the limits. @throws Error{code} "where: rule"
class TreeBuilder {
 public:
  TreeBuilder(TreeLimits limits, Errc code) : limits_(limits), code_(code) {}

  void scalar(std::string text, const std::string& where);
  void null(const std::string& where);
  void begin_list(const std::string& where);
  void begin_map(const std::string& where);
  void end();
  const ConfigNode& root() const { return root_; }
  bool started() const { return nodes_ > 0; }
  [[noreturn]] void fail(const std::string& where, const std::string& rule) const;

 private:
  struct Frame {
    ConfigNode node;
    std::string key;
    bool has_key = false;
  };
  void begin(ConfigNode node, const std::string& where);
  void count(const std::string& where);
  void place(ConfigNode node);
  bool at_key() const;
  TreeLimits limits_;
  Errc code_;
  std::size_t nodes_ = 0;
  std::vector<Frame> stack_;
  ConfigNode root_;
};

}  // namespace reseda::io
