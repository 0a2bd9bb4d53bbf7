#include <algorithm>
#include <cstdio>
#include <map>

#include "pipelines/tools/inspection.hpp"
#include "pipelines/tools/plain_text.hpp"
#include "pipelines/tools/tensor_facts.hpp"

namespace reseda::tools {
namespace {

using io::ValueKind;

constexpr std::size_t kDeepestShown = 3;  ///< containers below are one line
constexpr std::size_t kWidestName = 48, kWidestType = 32;

/// A line of the contents: what, of which type or value, and how much.
struct Row {
  std::string name, type, size;
};

std::size_t columns_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width) {
  const std::size_t columns = columns_of(text);
  return text + std::string(columns < width ? width - columns : 0, ' ');
}

void print_rows(const std::vector<Row>& rows) {
  std::size_t names = 0, types = 0;
  for (const Row& row : rows) {
    if (!row.type.empty()) names = std::max(names, std::min(columns_of(row.name), kWidestName));
    if (!row.size.empty()) types = std::max(types, std::min(columns_of(row.type), kWidestType));
  }
  for (const Row& row : rows) {
    std::string line = "  " + row.name;
    if (!row.type.empty()) line = padded(line, names + 2) + "  " + row.type;
    if (!row.size.empty()) line = padded(line, names + types + 4) + "  " + row.size;
    std::puts(line.c_str());
  }
}

std::string values_text(const TreeNode& node) {
  return count_text(node.elements) + (node.elements == 1 ? " value" : " values");
}

std::string totals(const TreeNode& node) {
  if (node.tensors == 0) return "";
  return counted(node.tensors, "tensor") + ", " + values_text(node) + ", " + size_text(node.bytes);
}

class Page {
 public:
  Page(const Inspection& inspection, const InspectOptions& options)
      : inspection_(inspection), options_(options), tree_(inspection.tree), nodes_(inspection.tree.nodes()) {}

  void print() {
    head();
    contents();
    parameters();
    metadata();
    globals();
    weights();
  }

 private:
  std::size_t shown_of(std::size_t depth) const {
    if (options_.all) return nodes_.size();
    return depth <= 1 ? options_.limit : std::min(options_.limit, std::max<std::size_t>(3, options_.limit / 5));
  }

  void head() const {
    const io::Checkpoint& file = inspection_.checkpoint;
    std::puts(plain_text(inspection_.file, 4096).c_str());
    std::vector<Row> rows = {
        {"format", file.format, ""},
        {"size", size_text(file.file_bytes) + " (" + std::to_string(file.file_bytes) + " bytes)", ""}};
    std::map<std::string, std::size_t> dtypes;
    for (const TreeNode& node : nodes_)
      if (node.kind == ValueKind::kTensor && node.damage.empty())
        ++dtypes[dtype_name(node.value.tensor().scalar_type())];
    std::string types;
    for (const auto& [name, count] : dtypes)
      types += (types.empty() ? "" : ", ") + (dtypes.size() == 1 ? name : std::to_string(count) + " " + name);
    const TreeNode& root = tree_.root();
    rows.push_back({"tensors",
                    root.tensors == 0
                        ? std::string("none")
                        : std::to_string(root.tensors) + " (" + types + "), " + count_text(root.elements) +
                              " values, " + size_text(root.bytes) + " in " + counted(tree_.storages(), "storage"),
                    ""});
    print_rows(rows);
  }

  void contents() {
    std::puts("\nContents");
    std::vector<Row> rows;
    if (is_container(tree_.root().kind))
      list(0, rows);
    else
      rows.push_back(row_of(0));
    if (tree_.too_deep() != 0)
      rows.push_back({"... " + counted(tree_.too_deep(), "value") + " deeper than 64 levels are not listed", "", ""});
    if (rows.empty()) rows.push_back({"nothing", "", ""});
    print_rows(rows);
  }

  void list(std::size_t parent, std::vector<Row>& rows) const {
    const std::vector<std::size_t>& children = nodes_[parent].children;
    const std::size_t shown = std::min(children.size(), shown_of(nodes_[parent].depth));
    for (std::size_t i = 0; i < shown; ++i) {
      const TreeNode& child = nodes_[children[i]];
      rows.push_back(row_of(children[i]));
      if (opened(child)) list(children[i], rows);
    }
    if (shown == children.size()) return;
    TreeNode rest;
    for (std::size_t i = shown; i < children.size(); ++i) {
      rest.tensors += nodes_[children[i]].tensors;
      rest.bytes += nodes_[children[i]].bytes;
    }
    std::string text = indent(nodes_[parent].depth) + "... " + std::to_string(children.size() - shown) + " more";
    if (rest.tensors != 0) text += ": " + counted(rest.tensors, "tensor") + ", " + size_text(rest.bytes);
    rows.push_back({text + " (--all lists them)", "", ""});
  }

  /// Whether a container's entries get lines of their own.
  bool opened(const TreeNode& node) const {
    return !node.children.empty() && (options_.all || node.depth < kDeepestShown) && !holds_hyper_parameters(node) &&
           !is_plain_list(tree_, node);
  }

  static std::string indent(std::size_t depth) { return std::string(2 * depth, ' '); }

  Row row_of(std::size_t index) const {
    const TreeNode& node = nodes_[index];
    Row row{indent(node.depth == 0 ? 0 : node.depth - 1) + plain_text(node.label, 72), "", ""};
    if (node.depth == 0) row.name = "(the whole file)";
    if (!node.damage.empty()) {
      row.type = "damaged";
    } else if (node.kind == ValueKind::kTensor) {
      const at::Tensor& tensor = node.value.tensor();
      row.type = padded(dtype_name(tensor.scalar_type()), 8) + " " + shape_text(tensor.sizes());
      row.size = size_text(logical_bytes(tensor));
      if (node.shares != kNoNode) row.size += ", shares bytes with " + plain_text(tree_.path(node.shares), 60);
      if (options_.hash) row.size += "  " + hash_of(tensor);
    } else if (!is_container(node.kind)) {
      row.type = value_text(node, 100);
    } else if (node.same_as != kNoNode) {
      row.type = "the same as " + (node.same_as == 0 ? "the whole file" : plain_text(tree_.path(node.same_as), 60));
    } else {
      row.type = list_text(tree_, node);
      row.size = holds_hyper_parameters(node) ? "see below" : totals(node);
    }
    return row;
  }

  static std::string hash_of(const at::Tensor& tensor) {
    const std::string hash = tensor_sha256(tensor);
    return hash.empty() ? "sha256 not computed: a view that repeats its storage" : "sha256 " + hash;
  }

  void parameters() const {
    const auto found = hyper_parameters(inspection_);
    if (found.empty()) return;
    std::puts("\nHyper-parameters");
    const std::size_t most = options_.all ? found.size() : std::min(found.size(), options_.limit * 5);
    for (std::size_t i = 0; i < most; ++i)
      std::printf("  %s: %s\n", plain_text(found[i].first, 100).c_str(),
                  plain_text(found[i].second, options_.all ? 4096 : 100).c_str());
    if (most < found.size()) std::printf("  ... %zu more (--all lists them)\n", found.size() - most);
  }

  void metadata() const {
    const auto& all = inspection_.checkpoint.metadata;
    if (all.empty()) return;
    std::puts("\nMetadata");
    std::size_t shown = 0;
    for (const auto& [key, value] : all) {
      if (shown++ >= options_.limit * 5 && !options_.all) break;
      std::printf("  %s: %s\n", plain_text(key, 100).c_str(), plain_text(value, options_.all ? 1U << 20 : 160).c_str());
    }
    if (shown < all.size()) std::printf("  ... %zu more (--all lists them)\n", all.size() - shown);
  }

  void globals() const {
    const io::Checkpoint& file = inspection_.checkpoint;
    if (file.globals.empty()) return;
    std::puts("\nGlobals named by the pickle (none is ever called or imported)");
    const auto is_refused = [&](const std::string& name) {
      return std::find(file.refused.begin(), file.refused.end(), name) != file.refused.end();
    };
    for (const std::string& name : file.refused) std::printf("  refused  %s\n", plain_text(name).c_str());
    for (const std::string& name : file.globals)
      if (!is_refused(name)) std::printf("  allowed  %s\n", plain_text(name).c_str());
  }

  void weights() const {
    std::puts("\nWeights");
    for (const io::WeightsPlace& place : inspection_.places)
      std::printf("  %s: %s\n", place.path == "." ? "the top level" : plain_text(place.path).c_str(),
                  place.named ? counted(place.tensors, "tensor").c_str()
                              : (counted(place.tensors, "average") + " without names").c_str());
    if (!inspection_.chosen.empty()) std::printf("  taken by default: %s\n", inspection_.chosen.c_str());
    if (!inspection_.open_because.empty()) std::printf("  %s\n", inspection_.open_because.c_str());
    for (const std::string& name : inspection_.configs)
      std::printf("  named as the published checkpoint of --config %s\n", name.c_str());
    if (!inspection_.command.empty()) std::printf("  to use them: %s\n", inspection_.command.c_str());
  }

  const Inspection& inspection_;
  const InspectOptions& options_;
  const CheckpointTree& tree_;
  const std::vector<TreeNode>& nodes_;
};

}  // namespace

void print_page(const Inspection& inspection, const InspectOptions& options) { Page(inspection, options).print(); }

}  // namespace reseda::tools
