#include "io/kspace/hdf5_file.hpp"

#include <hdf5.h>
#include <stdlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

#include "io/kspace/ismrmrd.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

static_assert(sizeof(hid_t) == sizeof(std::int64_t));

constexpr std::uint64_t kMostChunk = std::uint64_t{256} << 20;
constexpr std::uint64_t kMostText = std::uint64_t{16} << 20;
constexpr std::uint64_t kDeflateRatio = 1100;  // deflate makes at most 1032 bytes of one
constexpr int kMostAxes = 8;
constexpr hsize_t kAcquisitionsAtOnce = 64;
constexpr std::int64_t kMostAcquisitions = 1 << 24;

int close_file(std::int64_t id) { return H5Fclose(id); }
int close_set(std::int64_t id) { return H5Dclose(id); }
int close_space(std::int64_t id) { return H5Sclose(id); }
int close_type(std::int64_t id) { return H5Tclose(id); }
int close_list(std::int64_t id) { return H5Pclose(id); }

Hdf5Handle open_file(const std::string& name) {
  // HDF5 locks files even to read them, which some file systems refuse.
  ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
  return {H5Fopen(name.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), close_file};
}

/// Names on the way, "a", "a/b", "a/b/c".
std::vector<std::string> stations(const std::string& path) {
  std::vector<std::string> out;
  for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1))
    if (at > 0) out.push_back(path.substr(0, at));
  out.push_back(path);
  return out;
}

std::vector<std::int64_t> sides_of(std::int64_t space, const std::string& where) {
  const int axes = H5Sget_simple_extent_ndims(space);
  RESEDA_REQUIRE(H5Sis_simple(space) > 0 && axes >= 0 && axes <= kMostAxes, Errc::kInput, where,
                 ": is not an array of at most ", kMostAxes, " axes");
  hsize_t sides[kMostAxes] = {};
  if (axes > 0) H5Sget_simple_extent_dims(space, sides, nullptr);
  std::vector<std::int64_t> out;
  for (int i = 0; i < axes; ++i) {
    RESEDA_REQUIRE(sides[i] <= (hsize_t{1} << 40), Errc::kInput, where, ": an axis of ", sides[i], " is too long");
    out.push_back(static_cast<std::int64_t>(sides[i]));
  }
  return out;
}

/// Product with a limit. @throws Error{kInput}
std::uint64_t product(std::uint64_t first, const std::vector<std::int64_t>& sides, std::uint64_t most,
                      const std::string& where) {
  for (const std::int64_t side : sides) {
    const auto factor = static_cast<std::uint64_t>(side);
    RESEDA_REQUIRE(factor == 0 || first <= most / factor, Errc::kInput, where, ": claims more than ", most,
                   " bytes, which the file cannot hold");
    first *= factor;
  }
  return first;
}

void require_filters(std::int64_t list, const std::string& where) {
  const int filters = H5Pget_nfilters(list);
  RESEDA_REQUIRE(filters >= 0 && filters <= 8, Errc::kInput, where, ": its filters cannot be read");
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, filter_config = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(list, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, &filter_config);
    RESEDA_REQUIRE(filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32,
                   Errc::kInput, where, ": filter ", filter, " is not read, only deflate, shuffle and fletcher32");
  }
}

/// How the bytes lie in the file: nothing outside it, no huge chunks.
void require_layout(std::int64_t list, std::uint64_t item, const std::string& where) {
  const H5D_layout_t layout = H5Pget_layout(list);
  RESEDA_REQUIRE(layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED, Errc::kInput, where,
                 ": virtual datasets are not read");
  RESEDA_REQUIRE(H5Pget_external_count(list) == 0, Errc::kInput, where, ": its bytes lie in another file");
  if (layout != H5D_CHUNKED) return;
  hsize_t sides[kMostAxes] = {};
  const int axes = H5Pget_chunk(list, kMostAxes, sides);
  RESEDA_REQUIRE(axes >= 1 && axes <= kMostAxes, Errc::kInput, where, ": its chunks cannot be read");
  std::uint64_t bytes = item;
  for (int i = 0; i < axes; ++i) {
    RESEDA_REQUIRE(sides[i] >= 1 && bytes <= kMostChunk / sides[i], Errc::kInput, where, ": chunks above ",
                   kMostChunk >> 20, " MB are not read");
    bytes *= sides[i];
  }
  require_filters(list, where);
}

/// {r, i} of 32-bit floats.
Hdf5Handle complex_type(const char* re, const char* im) {
  Hdf5Handle type(H5Tcreate(H5T_COMPOUND, 2 * sizeof(float)), close_type);
  H5Tinsert(type.get(), re, 0, H5T_NATIVE_FLOAT);
  H5Tinsert(type.get(), im, sizeof(float), H5T_NATIVE_FLOAT);
  return type;
}

bool is_float_member(std::int64_t type, int index) {
  return H5Tget_member_class(type, static_cast<unsigned>(index)) == H5T_FLOAT;
}

/// Members of an acquisition's header, in the order of Acquisition but for its flags.
struct HeadMember {
  const char* group;  ///< "idx", or "" for the header's own
  const char* name;
};
constexpr HeadMember kMembers[] = {{"", "number_of_samples"},
                                   {"", "active_channels"},
                                   {"", "center_sample"},
                                   {"idx", "kspace_encode_step_1"},
                                   {"idx", "kspace_encode_step_2"},
                                   {"idx", "slice"},
                                   {"idx", "contrast"},
                                   {"idx", "phase"},
                                   {"idx", "set"}};
constexpr std::size_t kMemberCount = std::size(kMembers);

/// One acquisition in memory; HDF5 fills in the members that it is asked for by name.
struct RawAcquisition {
  std::uint64_t flags;
  std::int32_t members[kMemberCount];
  hvl_t samples;
};

Hdf5Handle acquisition_type(bool with_samples) {
  Hdf5Handle idx(H5Tcreate(H5T_COMPOUND, sizeof(RawAcquisition)), close_type);
  Hdf5Handle head(H5Tcreate(H5T_COMPOUND, sizeof(RawAcquisition)), close_type);
  H5Tinsert(head.get(), "flags", offsetof(RawAcquisition, flags), H5T_NATIVE_UINT64);
  const std::size_t first = offsetof(RawAcquisition, members);
  std::size_t begin_idx = 0;
  for (std::size_t i = 0; i < kMemberCount; ++i) {
    const std::size_t offset = first + i * sizeof(std::int32_t);
    if (kMembers[i].group[0] == '\0') {
      H5Tinsert(head.get(), kMembers[i].name, offset, H5T_NATIVE_INT32);
    } else {
      if (begin_idx == 0) begin_idx = offset;
      H5Tinsert(idx.get(), kMembers[i].name, offset - begin_idx, H5T_NATIVE_INT32);
    }
  }
  H5Tset_size(idx.get(), (kMemberCount - 3) * sizeof(std::int32_t));
  H5Tinsert(head.get(), "idx", begin_idx, idx.get());
  H5Tset_size(head.get(), offsetof(RawAcquisition, samples));
  Hdf5Handle whole(H5Tcreate(H5T_COMPOUND, sizeof(RawAcquisition)), close_type);
  H5Tinsert(whole.get(), "head", 0, head.get());
  if (with_samples) {
    const Hdf5Handle floats(H5Tvlen_create(H5T_NATIVE_FLOAT), close_type);
    H5Tinsert(whole.get(), "data", offsetof(RawAcquisition, samples), floats.get());
  }
  return whole;
}

/// Calls `use` with blocks of acquisitions.
template <class Use>
void for_acquisitions(std::int64_t set, std::int64_t count, bool with_samples, const std::string& where, Use&& use) {
  const Hdf5Handle type = acquisition_type(with_samples), space(H5Dget_space(set), close_space);
  std::vector<RawAcquisition> block(kAcquisitionsAtOnce);
  for (std::int64_t begin = 0; begin < count;) {
    const hsize_t start[1] = {static_cast<hsize_t>(begin)};
    const hsize_t size[1] = {std::min<hsize_t>(kAcquisitionsAtOnce, static_cast<hsize_t>(count - begin))};
    std::memset(static_cast<void*>(block.data()), 0, block.size() * sizeof(RawAcquisition));
    const Hdf5Handle memory(H5Screate_simple(1, size, nullptr), close_space);
    // Axes of length 1 may follow the first.
    const std::vector<std::int64_t> sides = sides_of(space.get(), where);
    hsize_t starts[kMostAxes] = {start[0]}, sizes[kMostAxes];
    std::fill_n(sizes, kMostAxes, hsize_t{1});
    sizes[0] = size[0];
    const bool read = H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, starts, nullptr, sizes, nullptr) >= 0 &&
                      H5Dread(set, type.get(), memory.get(), space.get(), H5P_DEFAULT, block.data()) >= 0;
    RESEDA_REQUIRE(read, Errc::kInput, where, ": acquisitions from ", begin, " on cannot be read");
    for (hsize_t i = 0; i < size[0]; ++i) use(begin + static_cast<std::int64_t>(i), block[i]);
    if (with_samples) H5Dvlen_reclaim(type.get(), memory.get(), H5P_DEFAULT, block.data());
    begin += static_cast<std::int64_t>(size[0]);
  }
}

// Bits of flags, counted from 1 as ismrmrd.h does.
bool flag(std::uint64_t flags, int number) { return (flags >> (number - 1) & 1) != 0; }
constexpr int kNoise = 19, kReversed = 22, kFirstSkipped = 23;
constexpr int kSkipped[] = {kFirstSkipped, 24, 26, 27, 28, 29, 30};

Acquisition acquisition_of(const RawAcquisition& raw) {
  Acquisition out;
  out.noise = flag(raw.flags, kNoise);
  for (const int number : kSkipped) out.skipped |= flag(raw.flags, number);
  out.reversed = flag(raw.flags, kReversed);
  std::memcpy(&out.samples, raw.members, sizeof raw.members);
  return out;
}

}  // namespace

Hdf5File::Hdf5File(const std::filesystem::path& path) : name_(path.string()), file_(open_file(path.string())) {
  std::error_code error;
  bytes_ = std::filesystem::file_size(path, error);
  RESEDA_REQUIRE(!error, Errc::kInput, name_, ": ", error.message());
  RESEDA_REQUIRE(file_.valid(), Errc::kInput, name_, ": is not HDF5, or damaged (a NumPy array is named .npy)");
}

bool Hdf5File::has(const std::string& path) const {
  for (const std::string& station : stations(path)) {
    if (H5Lexists(file_.get(), station.c_str(), H5P_DEFAULT) <= 0) return false;
    H5L_info_t link;
    RESEDA_REQUIRE(H5Lget_info(file_.get(), station.c_str(), &link, H5P_DEFAULT) >= 0, Errc::kInput, where(station),
                   ": cannot be read");
    RESEDA_REQUIRE(link.type == H5L_TYPE_HARD, Errc::kInput, where(station),
                   ": is a link elsewhere, which is not followed");
  }
  return true;
}

Hdf5Handle Hdf5File::dataset(const std::string& path) const {
  RESEDA_REQUIRE(has(path), Errc::kInput, name_, ": has no dataset '", path, "'");
  Hdf5Handle set(H5Dopen2(file_.get(), path.c_str(), H5P_DEFAULT), close_set);
  RESEDA_REQUIRE(set.valid(), Errc::kInput, where(path), ": is no dataset that can be read");
  const Hdf5Handle type(H5Dget_type(set.get()), close_type), space(H5Dget_space(set.get()), close_space);
  const Hdf5Handle list(H5Dget_create_plist(set.get()), close_list);
  RESEDA_REQUIRE(type.valid() && space.valid() && list.valid(), Errc::kInput, where(path), ": is damaged");
  const std::uint64_t item = H5Tget_size(type.get());
  RESEDA_REQUIRE(item >= 1 && item <= kMostText, Errc::kInput, where(path), ": items of ", item, " bytes are not read");
  require_layout(list.get(), item, where(path));
  const bool packed = H5Pget_layout(list.get()) == H5D_CHUNKED && H5Pget_nfilters(list.get()) > 0;
  product(item, sides_of(space.get(), where(path)), packed ? bytes_ * kDeflateRatio : bytes_, where(path));
  return set;
}

std::vector<std::int64_t> Hdf5File::shape(const std::string& path) const {
  const Hdf5Handle set = dataset(path), space(H5Dget_space(set.get()), close_space);
  return sides_of(space.get(), where(path));
}

void Hdf5File::hand_complex(const std::string& path, HandoverWriter& writer) const {
  const Hdf5Handle set = dataset(path), type(H5Dget_type(set.get()), close_type);
  const bool pair = H5Tget_class(type.get()) == H5T_COMPOUND && H5Tget_nmembers(type.get()) == 2 &&
                    is_float_member(type.get(), 0) && is_float_member(type.get(), 1);
  const bool short_names =
      pair && H5Tget_member_index(type.get(), "r") >= 0 && H5Tget_member_index(type.get(), "i") >= 0;
  const bool long_names =
      pair && H5Tget_member_index(type.get(), "real") >= 0 && H5Tget_member_index(type.get(), "imag") >= 0;
  RESEDA_REQUIRE(short_names || long_names, Errc::kInput, where(path), ": is not an array of complex floats");
  const Hdf5Handle memory = short_names ? complex_type("r", "i") : complex_type("real", "imag");
  void* place = writer.add("values", shape(path), 2 * sizeof(float));
  RESEDA_REQUIRE(H5Dread(set.get(), memory.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, place) >= 0, Errc::kInput, where(path),
                 ": cannot be read; is the file cut short?");
}

void Hdf5File::hand_floats(const std::string& path, HandoverWriter& writer) const {
  const Hdf5Handle set = dataset(path), type(H5Dget_type(set.get()), close_type);
  const H5T_class_t kind = H5Tget_class(type.get());
  const std::vector<std::int64_t> sides = shape(path);
  if (kind == H5T_ENUM && H5Tget_size(type.get()) == 1) {  // booleans of h5py
    std::vector<std::int8_t> values(product(1, sides, kMostText, where(path)));
    RESEDA_REQUIRE(H5Dread(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0, Errc::kInput,
                   where(path), ": cannot be read");
    auto* out = static_cast<float*>(writer.add("numbers", sides, sizeof(float)));
    std::copy(values.begin(), values.end(), out);
    return;
  }
  RESEDA_REQUIRE(kind == H5T_FLOAT || kind == H5T_INTEGER, Errc::kInput, where(path), ": is not an array of numbers");
  void* place = writer.add("numbers", sides, sizeof(float));
  RESEDA_REQUIRE(H5Dread(set.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, place) >= 0, Errc::kInput,
                 where(path), ": cannot be read; is the file cut short?");
}

void Hdf5File::hand_text(const std::string& path, HandoverWriter& writer) const {
  const Hdf5Handle set = dataset(path), type(H5Dget_type(set.get()), close_type);
  RESEDA_REQUIRE(H5Tget_class(type.get()) == H5T_STRING && product(1, shape(path), 1, where(path)) == 1, Errc::kInput,
                 where(path), ": is not one text");
  if (H5Tis_variable_str(type.get()) > 0) {
    const Hdf5Handle memory(H5Tcopy(H5T_C_S1), close_type), space(H5Dget_space(set.get()), close_space);
    H5Tset_size(memory.get(), H5T_VARIABLE);
    H5Tset_cset(memory.get(), H5Tget_cset(type.get()));
    char* text = nullptr;
    RESEDA_REQUIRE(H5Dread(set.get(), memory.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, &text) >= 0 && text != nullptr,
                   Errc::kInput, where(path), ": cannot be read");
    const std::size_t length = ::strnlen(text, kMostText + 1);
    RESEDA_REQUIRE(length <= kMostText, Errc::kInput, where(path), ": is longer than ", kMostText, " bytes");
    writer.add_text("header", std::string(text, length));
    return;  // the child ends soon: the library's memory goes with it
  }
  std::string text(H5Tget_size(type.get()), '\0');
  RESEDA_REQUIRE(H5Dread(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()) >= 0, Errc::kInput,
                 where(path), ": cannot be read");
  writer.add_text("header", text.substr(0, std::min(text.find('\0'), text.size())));
}

void Hdf5File::hand_acquisitions(const std::string& path, HandoverWriter& writer) const {
  const Hdf5Handle set = dataset(path), type(H5Dget_type(set.get()), close_type);
  const std::vector<std::int64_t> sides = shape(path);
  const std::uint64_t all = product(1, sides, kMostAcquisitions, where(path));
  RESEDA_REQUIRE(!sides.empty() && all == static_cast<std::uint64_t>(sides[0]) && all > 0, Errc::kInput, where(path),
                 ": is not a list of acquisitions");
  RESEDA_REQUIRE(H5Tget_class(type.get()) == H5T_COMPOUND && H5Tget_member_index(type.get(), "head") >= 0 &&
                     H5Tget_member_index(type.get(), "data") >= 0,
                 Errc::kInput, where(path), ": its items are no acquisitions (head, traj, data)");
  const auto count = static_cast<std::int64_t>(all);
  auto* heads = static_cast<Acquisition*>(writer.add("heads", {count, kAcquisitionFields}, sizeof(std::int32_t)));
  std::int64_t total = 0;
  for_acquisitions(set.get(), count, false, where(path), [&](std::int64_t i, const RawAcquisition& raw) {
    heads[i] = acquisition_of(raw);
    RESEDA_REQUIRE(
        heads[i].samples >= 0 && heads[i].samples <= 65535 && heads[i].channels >= 0 && heads[i].channels <= 65535,
        Errc::kInput, where(path), ": acquisition ", i, " has ", heads[i].samples, " samples of ", heads[i].channels,
        " channels");
    total += std::int64_t{heads[i].samples} * heads[i].channels;
    RESEDA_REQUIRE(static_cast<std::uint64_t>(total) <= bytes_ * kDeflateRatio, Errc::kInput, where(path),
                   ": claims more samples than the file can hold");
  });
  auto* samples = static_cast<float*>(writer.add("samples", {total}, 2 * sizeof(float)));
  for_acquisitions(set.get(), count, true, where(path), [&](std::int64_t i, const RawAcquisition& raw) {
    const std::size_t floats =
        2 * static_cast<std::size_t>(heads[i].samples) * static_cast<std::size_t>(heads[i].channels);
    RESEDA_REQUIRE(raw.samples.len == floats, Errc::kInput, where(path), ": acquisition ", i, " holds ",
                   raw.samples.len, " numbers, its header says ", floats);
    if (floats > 0) std::memcpy(samples, raw.samples.p, floats * sizeof(float));
    samples += floats;
  });
}

}  // namespace reseda::io::detail
