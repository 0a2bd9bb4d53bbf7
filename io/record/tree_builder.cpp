#include "io/record/tree_builder.hpp"

#include <utility>

namespace reseda::io {

void TreeBuilder::fail(const std::string& where, const std::string& rule) const {
  throw Error(code_, where + ": " + rule);
}

bool TreeBuilder::at_key() const {
  return !stack_.empty() && stack_.back().node.kind() == ConfigNode::Kind::kMap && !stack_.back().has_key;
}

void TreeBuilder::count(const std::string& where) {
  if (++nodes_ > limits_.nodes) fail(where, "more than " + std::to_string(limits_.nodes) + " values");
}

void TreeBuilder::place(ConfigNode node) {
  if (stack_.empty()) {
    root_ = std::move(node);
  } else if (Frame& top = stack_.back(); top.node.kind() == ConfigNode::Kind::kMap) {
    top.node[top.key] = std::move(node);
    top.has_key = false;
  } else {
    top.node.append(std::move(node));
  }
}

void TreeBuilder::scalar(std::string text, const std::string& where) {
  count(where);
  if (at_key()) {
    Frame& top = stack_.back();
    if (text.empty()) fail(where, "a key is empty");
    if (top.node.find(text) != nullptr) fail(where, "key '" + text.substr(0, 80) + "' appears twice");
    if (top.node.keys().size() >= limits_.keys) fail(where, "more than " + std::to_string(limits_.keys) + " keys");
    top.key = std::move(text);
    top.has_key = true;
    return;
  }
  ConfigNode node(std::move(text));
  node.set_where(where);
  place(std::move(node));
}

void TreeBuilder::null(const std::string& where) {
  count(where);
  if (at_key()) fail(where, "a key is missing");
  ConfigNode node;
  node.set_where(where);
  place(std::move(node));
}

void TreeBuilder::begin(ConfigNode node, const std::string& where) {
  count(where);
  if (at_key()) fail(where, "a key must be a plain word; is a bracket left open?");
  if (stack_.size() >= limits_.depth) fail(where, "nested deeper than " + std::to_string(limits_.depth) + " levels");
  node.set_where(where);
  stack_.push_back({std::move(node), "", false});
}

void TreeBuilder::begin_list(const std::string& where) { begin(ConfigNode::list(), where); }
void TreeBuilder::begin_map(const std::string& where) { begin(ConfigNode::map(), where); }

void TreeBuilder::end() {
  ConfigNode node = std::move(stack_.back().node);
  stack_.pop_back();
  place(std::move(node));
}

}  // namespace reseda::io
