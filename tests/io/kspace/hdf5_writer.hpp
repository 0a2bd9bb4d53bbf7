#pragma once

#include <hdf5.h>

#include <complex>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

/// Small HDF5 files for tests, written by the HDF5 library itself.
namespace reseda::tests {

using Complexes = std::vector<std::complex<float>>;

class Hdf5Writer {
 public:
  explicit Hdf5Writer(const std::filesystem::path& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~Hdf5Writer() { H5Fclose(file_); }
  hid_t id() const { return file_; }

  /// {r, i} as h5py writes complex64; `chunk` empty: contiguous.
  void complexes(const std::string& name, const std::vector<hsize_t>& shape, const Complexes& values,
                 const std::vector<hsize_t>& chunk = {}) {
    const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(type, "r", 0, H5T_NATIVE_FLOAT);
    H5Tinsert(type, "i", 4, H5T_NATIVE_FLOAT);
    write(name, type, shape, values.data(), chunk);
    H5Tclose(type);
  }
  void floats(const std::string& name, const std::vector<hsize_t>& shape, const std::vector<float>& values) {
    write(name, H5T_NATIVE_FLOAT, shape, values.data(), {});
  }
  void text(const std::string& name, const std::string& value) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    const char* pointer = value.c_str();
    write(name, type, {1}, &pointer, {});
    H5Tclose(type);
  }
  void group(const std::string& name) {
    H5Gclose(H5Gcreate2(file_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  }

  void write(const std::string& name, hid_t type, const std::vector<hsize_t>& shape, const void* values,
             const std::vector<hsize_t>& chunk) {
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (!chunk.empty()) {
      H5Pset_chunk(list, static_cast<int>(chunk.size()), chunk.data());
      H5Pset_shuffle(list);
      H5Pset_deflate(list, 6);
    }
    const hid_t set = H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (values != nullptr) H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(set);
    H5Pclose(list);
    H5Sclose(space);
  }

 private:
  hid_t file_;
};

/// One acquisition as ISMRMRD has it, with the members that are read and one that is not.
struct TestAcquisition {
  std::uint64_t flags = 0;
  std::uint16_t samples = 0, channels = 0, centre = 0, line = 0, slice = 0;
  Complexes values = {};
};

/// dataset/xml and dataset/data.
inline void write_ismrmrd(const std::filesystem::path& path, const std::string& xml,
                          const std::vector<TestAcquisition>& acquisitions) {
  struct Counters {
    std::uint16_t line, partition, average, slice, contrast, phase, repetition, set;
  };
  struct Head {
    std::uint16_t version;
    std::uint64_t flags;
    std::uint16_t samples, channels, centre;
    Counters idx;
  };
  struct Whole {
    Head head;
    hvl_t trajectory, data;
  };
  const hid_t idx = H5Tcreate(H5T_COMPOUND, sizeof(Counters)), head = H5Tcreate(H5T_COMPOUND, sizeof(Head));
  const hid_t whole = H5Tcreate(H5T_COMPOUND, sizeof(Whole)), floats = H5Tvlen_create(H5T_NATIVE_FLOAT);
  const auto count = [&](const char* name, std::size_t offset) { H5Tinsert(idx, name, offset, H5T_NATIVE_UINT16); };
  count("kspace_encode_step_1", offsetof(Counters, line));
  count("kspace_encode_step_2", offsetof(Counters, partition));
  count("average", offsetof(Counters, average));
  count("slice", offsetof(Counters, slice));
  count("contrast", offsetof(Counters, contrast));
  count("phase", offsetof(Counters, phase));
  count("repetition", offsetof(Counters, repetition));
  count("set", offsetof(Counters, set));
  H5Tinsert(head, "version", offsetof(Head, version), H5T_NATIVE_UINT16);
  H5Tinsert(head, "flags", offsetof(Head, flags), H5T_NATIVE_UINT64);
  H5Tinsert(head, "number_of_samples", offsetof(Head, samples), H5T_NATIVE_UINT16);
  H5Tinsert(head, "active_channels", offsetof(Head, channels), H5T_NATIVE_UINT16);
  H5Tinsert(head, "center_sample", offsetof(Head, centre), H5T_NATIVE_UINT16);
  H5Tinsert(head, "idx", offsetof(Head, idx), idx);
  H5Tinsert(whole, "head", offsetof(Whole, head), head);
  H5Tinsert(whole, "traj", offsetof(Whole, trajectory), floats);
  H5Tinsert(whole, "data", offsetof(Whole, data), floats);
  std::vector<Whole> rows(acquisitions.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const TestAcquisition& a = acquisitions[i];
    rows[i] = {};
    rows[i].head = {1, a.flags, a.samples, a.channels, a.centre, {a.line, 0, 0, a.slice, 0, 0, 0, 0}};
    rows[i].data = {2 * a.values.size(), const_cast<std::complex<float>*>(a.values.data())};
  }
  Hdf5Writer file(path);
  file.group("dataset");
  file.text("dataset/xml", xml);
  file.write("dataset/data", whole, {rows.size()}, rows.data(), {});
  for (const hid_t type : {idx, head, whole, floats}) H5Tclose(type);
}

/// A header for n_x encoded and `shown` pixels a side, with this line through the centre.
inline std::string encoding_xml(int encoded_x, int encoded_y, int shown_x, int shown_y, int centre) {
  const auto size = [](int x, int y) {
    return "<matrixSize><x>" + std::to_string(x) + "</x><y>" + std::to_string(y) + "</y><z>1</z></matrixSize>";
  };
  const std::string view = "<fieldOfView_mm><x>32</x><y>48</y><z>5</z></fieldOfView_mm>";
  return "<?xml version=\"1.0\"?><ismrmrdHeader xmlns=\"http://www.ismrm.org/ISMRMRD\"><encoding><encodedSpace>" +
         size(encoded_x, encoded_y) + view + "</encodedSpace><reconSpace>" + size(shown_x, shown_y) + view +
         "</reconSpace><encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>" +
         std::to_string(encoded_y - 1) + "</maximum><center>" + std::to_string(centre) +
         "</center></kspace_encoding_step_1></encodingLimits><trajectory>cartesian</trajectory></encoding>"
         "</ismrmrdHeader>";
}

}  // namespace reseda::tests
