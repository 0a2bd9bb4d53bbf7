#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace reseda::tests {

/// A small DICOM file in explicit little endian, element by element; written independently of io/volume.
class DicomBytes {
 public:
  /// A CT slice of 2 x 3 signed 16-bit pixels at z = 0.
  DicomBytes() {
    text(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL").text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2");
    text(0x00080018, "UI", "1.2.3.1").text(0x00080060, "CS", "CT").text(0x0020000D, "UI", "1.2.3");
    text(0x0020000E, "UI", "1.2.3.4").text(0x00200011, "IS", "7").text(0x00200013, "IS", "1");
    text(0x00200032, "DS", "10\\20\\0").text(0x00200037, "DS", "1\\0\\0\\0\\1\\0").text(0x00280030, "DS", "2\\0.5");
    number(0x00280002, 1).text(0x00280004, "CS", "MONOCHROME2").number(0x00280010, 2).number(0x00280011, 3);
    bits(16, 16, 15, true);
    text(0x00281052, "DS", "-1000").text(0x00281053, "DS", "1");
    pixels({0, 1, 2, 3, 4, 5});
  }

  DicomBytes& text(std::uint32_t tag, const std::string& vr, std::string value) {
    if (value.size() % 2 == 1) value += vr == "UI" ? '\0' : ' ';
    elements_[tag] = {vr, std::move(value)};
    return *this;
  }
  DicomBytes& number(std::uint32_t tag, std::uint16_t value, const std::string& vr = "US") {
    return text(tag, vr, little(value, 2));
  }
  DicomBytes& bits(std::uint16_t allocated, std::uint16_t stored, std::uint16_t high, bool is_signed) {
    return number(0x00280100, allocated)
        .number(0x00280101, stored)
        .number(0x00280102, high)
        .number(0x00280103, is_signed ? 1 : 0);
  }
  DicomBytes& pixels(const std::vector<int>& values) {
    std::string bytes;
    for (const int value : values) bytes += little(static_cast<std::uint16_t>(value), 2);
    return text(0x7FE00010, "OW", bytes);
  }
  DicomBytes& position(double x, double y, double z) {
    std::array<char, 64> value{};
    std::snprintf(value.data(), value.size(), "%.10g\\%.10g\\%.10g", x, y, z);
    return text(0x00200032, "DS", value.data());
  }
  DicomBytes& uid(const std::string& last) { return text(0x00080018, "UI", "1.2.3.1." + last); }
  DicomBytes& erase(std::uint32_t tag) {
    elements_.erase(tag);
    return *this;
  }
  /// A sequence of items of ready bytes (see element).
  DicomBytes& sequence(std::uint32_t tag, const std::vector<std::string>& items) {
    std::string value;
    for (const std::string& item : items)
      value += little(0xFFFE, 2) + little(0xE000, 2) + little(item.size(), 4) + item;
    return text(tag, "SQ", value);
  }

  static std::string little(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i);
    return out;
  }
  static std::string element(std::uint32_t tag, const std::string& vr, std::string value) {
    if (value.size() % 2 == 1) value += vr == "UI" ? '\0' : ' ';
    const bool long_length = vr[0] == 'O' || vr == "SQ" || vr == "UN" || vr == "UT";
    return little(tag >> 16, 2) + little(tag & 0xFFFF, 2) + vr + (long_length ? little(0, 2) : "") +
           little(value.size(), long_length ? 4 : 2) + value;
  }
  std::string with_syntax(const std::string& uid, const std::string& dataset) const {
    std::string out(128, '\0');
    out.append("DICM").append(element(0x00020010, "UI", uid)).append(dataset);
    return out;
  }
  std::string dataset() const {
    std::string out;
    for (const auto& [tag, content] : elements_) out += element(tag, content.first, content.second);
    return out;
  }
  std::string bytes() const { return with_syntax("1.2.840.10008.1.2.1", dataset()); }

 private:
  std::map<std::uint32_t, std::pair<std::string, std::string>> elements_;
};

}  // namespace reseda::tests
