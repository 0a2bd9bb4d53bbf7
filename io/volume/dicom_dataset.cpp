#include "io/volume/dicom_dataset.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include "io/volume/text_fields.hpp"

namespace reseda::io::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "values are kept in little endian");

template <class Number>
std::vector<double> binary_numbers(std::string_view bytes) {
  std::vector<double> numbers;
  for (; bytes.size() >= sizeof(Number); bytes.remove_prefix(sizeof(Number))) {
    Number number;
    std::memcpy(&number, bytes.data(), sizeof(Number));
    numbers.push_back(static_cast<double>(number));
  }
  return numbers;
}

std::optional<double> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

bool is_one_of(DicomVr vr, std::string_view pairs) {
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 3)
    if (vr == DicomVr{pairs[i], pairs[i + 1]}) return true;
  return false;
}

bool before(const DicomElement& element, DicomTag tag) { return element.tag < tag; }

}  // namespace

bool is_text_vr(DicomVr vr) { return is_one_of(vr, "AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT"); }

std::size_t dicom_number_size(DicomVr vr) {
  if (is_one_of(vr, "US SS OW AT")) return 2;
  if (is_one_of(vr, "UL SL FL OF OL")) return 4;
  return is_one_of(vr, "FD OD SV UV OV") ? 8 : 1;
}

bool has_long_length(DicomVr vr) { return is_one_of(vr, "OB OD OF OL OV OW SQ SV UC UN UR UT UV"); }

std::string dicom_u16(std::uint16_t number) { return {reinterpret_cast<const char*>(&number), sizeof(number)}; }

const DicomElement* DicomDataset::find(DicomTag tag) const {
  const auto found = std::lower_bound(elements_.begin(), elements_.end(), tag, before);
  return found != elements_.end() && found->tag == tag ? &*found : nullptr;
}

DicomElement* DicomDataset::find(DicomTag tag) {
  return const_cast<DicomElement*>(static_cast<const DicomDataset*>(this)->find(tag));
}

std::vector<std::string> DicomDataset::texts(DicomTag tag) const {
  const DicomElement* element = find(tag);
  std::vector<std::string> texts;
  if (element == nullptr || element->value.empty()) return texts;
  std::string_view left = element->value;
  while (true) {
    const std::size_t end = left.find('\\');
    std::string_view value = left.substr(0, end);
    while (value.ends_with('\0')) value.remove_suffix(1);
    texts.emplace_back(trimmed(value));
    if (end == std::string_view::npos) return texts;
    left.remove_prefix(end + 1);
  }
}

std::string DicomDataset::text(DicomTag tag) const {
  const auto all = texts(tag);
  return all.empty() ? std::string() : all.front();
}

std::vector<double> DicomDataset::numbers(DicomTag tag) const {
  const DicomElement* element = find(tag);
  if (element == nullptr) return {};
  if (element->vr == DicomVr{'U', 'S'}) return binary_numbers<std::uint16_t>(element->value);
  if (element->vr == DicomVr{'S', 'S'}) return binary_numbers<std::int16_t>(element->value);
  if (element->vr == DicomVr{'U', 'L'}) return binary_numbers<std::uint32_t>(element->value);
  if (element->vr == DicomVr{'S', 'L'}) return binary_numbers<std::int32_t>(element->value);
  std::vector<double> numbers;
  if (element->vr == DicomVr{'F', 'L'}) numbers = binary_numbers<float>(element->value);
  if (element->vr == DicomVr{'F', 'D'}) numbers = binary_numbers<double>(element->value);
  if (is_text_vr(element->vr)) {
    for (const std::string& text : texts(tag)) numbers.push_back(parse_number(text).value_or(NAN));
  }
  return std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); }) ? numbers
                                                                                                : std::vector<double>();
}

std::optional<double> DicomDataset::number(DicomTag tag) const {
  const auto all = numbers(tag);
  return all.empty() ? std::nullopt : std::optional(all.front());
}

const DicomDataset* DicomDataset::first_item(DicomTag sequence) const {
  const DicomElement* element = find(sequence);
  return element == nullptr || element->items.empty() ? nullptr : &element->items.front();
}

DicomElement& DicomDataset::set(DicomTag tag, DicomVr vr, std::string value) {
  if (value.size() % 2 == 1) value += is_text_vr(vr) && vr != DicomVr{'U', 'I'} ? ' ' : '\0';
  auto at = std::lower_bound(elements_.begin(), elements_.end(), tag, before);
  if (at == elements_.end() || at->tag != tag) at = elements_.emplace(at);
  *at = DicomElement{tag, vr, std::move(value), {}};
  return *at;
}

DicomElement& DicomDataset::set_sequence(DicomTag tag, std::vector<DicomDataset> items) {
  DicomElement& element = set(tag, {'S', 'Q'}, {});
  element.items = std::move(items);
  return element;
}

void DicomDataset::erase(DicomTag tag) {
  std::erase_if(elements_, [&](const DicomElement& element) { return element.tag == tag; });
}

DicomElement& DicomDataset::append(DicomElement element) { return elements_.emplace_back(std::move(element)); }

void DicomDataset::sort() {
  const auto order = [](const DicomElement& a, const DicomElement& b) { return a.tag < b.tag; };
  if (!std::is_sorted(elements_.begin(), elements_.end(), order)) {
    std::stable_sort(elements_.begin(), elements_.end(), order);
  }
  const auto same = [](const DicomElement& a, const DicomElement& b) { return a.tag == b.tag; };
  elements_.erase(std::unique(elements_.begin(), elements_.end(), same), elements_.end());
}

}  // namespace reseda::io::detail
