#include "pipelines/tools/inspection.hpp"
#include "pipelines/tools/json_writer.hpp"
#include "pipelines/tools/plain_text.hpp"
#include "pipelines/tools/tensor_facts.hpp"

namespace reseda::tools {
namespace {

using io::ValueKind;

/// Real paths are short; what a hostile file makes long is cut.
constexpr std::size_t kLongestPath = 4096;

std::string path_of(const CheckpointTree& tree, std::size_t node) {
  std::string path = tree.path(node);
  return path.size() > kLongestPath ? plain_text(path, kLongestPath) : path;
}

void write_container(JsonWriter& json, const CheckpointTree& tree, std::size_t i) {
  const TreeNode& node = tree.nodes()[i];
  json.begin_object().field("path", path_of(tree, i)).field("kind", kind_name(node.kind));
  if (node.kind == ValueKind::kOpaque) json.field("of", node.value.text());
  if (node.same_as != kNoNode) json.field("same_as", path_of(tree, node.same_as));
  json.field("items", node.children.size());
  json.field("tensors", node.tensors).field("values", node.elements).field("bytes", node.bytes).end_object();
}

void write_tensor(JsonWriter& json, const CheckpointTree& tree, std::size_t i, bool hash) {
  const TreeNode& node = tree.nodes()[i];
  json.begin_object().field("path", path_of(tree, i));
  if (!node.damage.empty()) {
    json.field("damaged", node.damage).end_object();
    return;
  }
  const at::Tensor& tensor = node.value.tensor();
  json.field("dtype", dtype_name(tensor.scalar_type())).key("shape").begin_list();
  for (const std::int64_t size : tensor.sizes()) json.integer(size);
  json.end_list().field("bytes", logical_bytes(tensor));
  if (node.shares != kNoNode) json.field("shares", path_of(tree, node.shares));
  if (hash) {
    const std::string digest = tensor_sha256(tensor);
    digest.empty() ? json.key("sha256").null() : json.field("sha256", digest);
  }
  json.end_object();
}

void write_value(JsonWriter& json, const CheckpointTree& tree, std::size_t i) {
  const TreeNode& node = tree.nodes()[i];
  json.begin_object().field("path", path_of(tree, i)).field("kind", kind_name(node.kind)).key("value");
  switch (node.kind) {
    case ValueKind::kBool:
      json.boolean(node.value.boolean());
      break;
    case ValueKind::kInteger:
      json.raw(io::integer_text(node.value));
      break;
    case ValueKind::kFloat:
      json.number(node.value.real());
      break;
    case ValueKind::kText:
      json.text(node.value.text());
      break;
    default:
      json.null();
  }
  if (node.kind == ValueKind::kBytes) json.field("bytes", node.value.text().size());
  json.end_object();
}

void write_names(JsonWriter& json, const char* key, const std::vector<std::string>& names) {
  json.key(key).begin_list();
  for (const std::string& name : names) json.text(name);
  json.end_list();
}

void write_pairs(JsonWriter& json, const char* key, const auto& pairs) {
  json.key(key).begin_object();
  for (const auto& [name, value] : pairs) json.field(name, value);
  json.end_object();
}

void write_weights(JsonWriter& json, const Inspection& inspection) {
  json.key("weights").begin_list();
  for (const io::WeightsPlace& place : inspection.places)
    json.begin_object()
        .field("path", place.path)
        .field("tensors", place.tensors)
        .field("named", place.named)
        .end_object();
  json.end_list();
  if (!inspection.chosen.empty()) json.field("taken", inspection.chosen);
  if (!inspection.open_because.empty()) json.field("open", inspection.open_because);
  write_names(json, "configs", inspection.configs);
  if (!inspection.command.empty()) json.field("command", inspection.command);
}

}  // namespace

void print_json(const Inspection& inspection, const InspectOptions& options) {
  const CheckpointTree& tree = inspection.tree;
  std::vector<std::size_t> order = tree.below(0);
  order.insert(order.begin(), 0);
  const auto each = [&](auto&& wanted, auto&& write) {
    for (const std::size_t i : order)
      if (wanted(tree.nodes()[i])) write(i);
  };
  JsonWriter json(stdout);
  json.begin_object().field("file", inspection.file).field("format", inspection.checkpoint.format);
  json.field("file_bytes", inspection.checkpoint.file_bytes).field("tensor_count", tree.root().tensors);
  json.field("values", tree.root().elements).field("bytes", tree.root().bytes).field("storages", tree.storages());
  write_names(json, "globals", inspection.checkpoint.globals);
  write_names(json, "refused", inspection.checkpoint.refused);
  write_pairs(json, "metadata", inspection.checkpoint.metadata);
  json.key("containers").begin_list();
  each([](const TreeNode& node) { return is_container(node.kind); },
       [&](std::size_t i) { write_container(json, tree, i); });
  json.end_list().key("tensors").begin_list();
  each([](const TreeNode& node) { return node.kind == ValueKind::kTensor; },
       [&](std::size_t i) { write_tensor(json, tree, i, options.hash); });
  json.end_list().key("scalars").begin_list();
  each([](const TreeNode& node) { return !is_container(node.kind) && node.kind != ValueKind::kTensor; },
       [&](std::size_t i) { write_value(json, tree, i); });
  json.end_list();
  write_pairs(json, "hyper_parameters", hyper_parameters(inspection));
  write_weights(json, inspection);
  if (tree.too_deep() != 0) json.field("too_deep", tree.too_deep());
  json.end_object();
  std::fputc('\n', stdout);
}

}  // namespace reseda::tools
