#include "pipelines/tools/comparison.hpp"

#include <algorithm>
#include <cstdio>

#include "pipelines/tools/json_writer.hpp"
#include "pipelines/tools/plain_text.hpp"
#include "pipelines/tools/tensor_facts.hpp"

namespace reseda::tools {
namespace {

/// "[0, 12]": row and column of a row-major index.
std::string place_text(const at::Tensor& tensor, std::int64_t index) {
  std::vector<std::int64_t> place(static_cast<std::size_t>(tensor.dim()));
  for (std::size_t i = place.size(); i-- > 0;) {
    place[i] = index % tensor.size(static_cast<std::int64_t>(i));
    index /= tensor.size(static_cast<std::int64_t>(i));
  }
  return shape_text(place);
}

void print_difference(const ComparedTensor& each) {
  const TensorDifference& difference = each.difference;
  std::printf("  %s  %s %s  max |a - b| %s at %s, relative %s, %lld of %lld\n", plain_text(each.name, 100).c_str(),
              dtype_name(each.a.scalar_type()).c_str(), shape_text(each.a.sizes()).c_str(),
              figure_text(difference.largest).c_str(), place_text(each.a, difference.at).c_str(),
              figure_text(difference.relative).c_str(), static_cast<long long>(difference.differing),
              static_cast<long long>(each.a.numel()));
}

template <class Items, class Print>
void print_some(const std::string& heading, const Items& items, std::size_t limit, Print&& print) {
  if (items.empty()) return;
  std::printf("\n%s (%zu)\n", heading.c_str(), items.size());
  for (std::size_t i = 0; i < std::min(items.size(), limit); ++i) print(items[i]);
  if (items.size() > limit) std::printf("  ... %zu more (--all lists them)\n", items.size() - limit);
}

template <class Choose>
std::vector<const ComparedTensor*> chosen(const Comparison& comparison, Choose&& choose) {
  std::vector<const ComparedTensor*> out;
  for (const ComparedTensor& each : comparison.both)
    if (choose(each)) out.push_back(&each);
  return out;
}

/// Differing values, the largest first.
std::vector<const ComparedTensor*> differing(const Comparison& comparison) {
  auto rows = chosen(comparison, [](const auto& each) { return each.difference.at >= 0; });
  std::stable_sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) {
    return std::pair(!a->equal, a->difference.largest) > std::pair(!b->equal, b->difference.largest);
  });
  return rows;
}

void write_names(JsonWriter& json, const char* key, const std::vector<std::string>& names) {
  json.key(key).begin_list();
  for (const std::string& name : names) json.text(name);
  json.end_list();
}

void write_shape(JsonWriter& json, const char* key, const at::Tensor& tensor) {
  json.key(key).begin_list();
  for (const std::int64_t size : tensor.sizes()) json.integer(size);
  json.end_list();
}

/// A difference as a number; JSON has no infinity.
void write_figure(JsonWriter& json, const char* key, double value) {
  std::isinf(value) ? json.field(key, "inf") : json.field(key, value);
}

}  // namespace

bool Comparison::equal() const {
  return only_a.empty() && only_b.empty() &&
         std::all_of(both.begin(), both.end(), [](const ComparedTensor& each) { return each.equal; });
}

Comparison compare_weights(const StateDict& a, const StateDict& b, const Tolerance& tolerance) {
  Comparison out;
  for (const auto& [name, tensor] : a) {
    if (!b.contains(name)) {
      out.only_a.push_back(name);
      continue;
    }
    ComparedTensor each;
    each.name = name;
    each.a = tensor;
    each.b = b.at(name);
    each.shapes_equal = each.a.sizes() == each.b.sizes();
    each.dtypes_equal = each.a.scalar_type() == each.b.scalar_type();
    if (each.shapes_equal) each.difference = difference_of(each.a, each.b, tolerance);
    each.equal = each.shapes_equal && each.difference.differing == 0 && (each.dtypes_equal || !tolerance.exact());
    out.both.push_back(std::move(each));
  }
  for (const auto& [name, tensor] : b)
    if (!a.contains(name)) out.only_b.push_back(name);
  return out;
}

void print_page(const ComparedSides& sides, const Comparison& comparison, std::size_t limit) {
  std::printf("A  %s  %s\nB  %s  %s\n", plain_text(sides.file_a, 4096).c_str(), sides.what_a.c_str(),
              plain_text(sides.file_b, 4096).c_str(), sides.what_b.c_str());
  const auto print_name = [](const std::string& name) { std::printf("  %s\n", plain_text(name, 100).c_str()); };
  print_some("Only in A", comparison.only_a, limit, print_name);
  print_some("Only in B", comparison.only_b, limit, print_name);
  print_some("Other shapes", chosen(comparison, [](const auto& each) { return !each.shapes_equal; }), limit,
             [](const ComparedTensor* each) {
               std::printf("  %s  A %s, B %s\n", plain_text(each->name, 100).c_str(),
                           shape_text(each->a.sizes()).c_str(), shape_text(each->b.sizes()).c_str());
             });
  print_some("Other types", chosen(comparison, [](const auto& each) { return !each.dtypes_equal; }), limit,
             [](const ComparedTensor* each) {
               std::printf("  %s  A %s, B %s\n", plain_text(each->name, 100).c_str(),
                           dtype_name(each->a.scalar_type()).c_str(), dtype_name(each->b.scalar_type()).c_str());
             });
  const auto rows = differing(comparison);
  print_some("Other values", rows, limit, [](const ComparedTensor* each) { print_difference(*each); });
  const auto unequal = chosen(comparison, [](const auto& each) { return !each.equal; });
  std::printf("\n%s: %s compared, %zu equal%s, %zu differ, %zu only in A, %zu only in B\n",
              comparison.equal() ? "equal" : "different", counted(comparison.both.size(), "tensor").c_str(),
              comparison.both.size() - unequal.size(),
              rows.size() > unequal.size() ? " (some within the tolerance)" : "", unequal.size(),
              comparison.only_a.size(), comparison.only_b.size());
}

void print_json(const ComparedSides& sides, const Comparison& comparison) {
  JsonWriter json(stdout);
  json.begin_object().field("a", sides.file_a).field("b", sides.file_b).field("weights_a", sides.what_a);
  json.field("weights_b", sides.what_b).field("equal", comparison.equal());
  write_names(json, "only_in_a", comparison.only_a);
  write_names(json, "only_in_b", comparison.only_b);
  json.key("tensors").begin_list();
  for (const ComparedTensor& each : comparison.both) {
    json.begin_object().field("name", each.name).field("equal", each.equal);
    write_shape(json, "shape_a", each.a);
    write_shape(json, "shape_b", each.b);
    json.field("dtype_a", dtype_name(each.a.scalar_type())).field("dtype_b", dtype_name(each.b.scalar_type()));
    if (each.shapes_equal) {
      write_figure(json, "max_abs", each.difference.largest);
      write_figure(json, "max_rel", each.difference.relative);
      json.field("differing", each.difference.differing);
    }
    json.end_object();
  }
  json.end_list().end_object();
  std::fputc('\n', stdout);
}

}  // namespace reseda::tools
