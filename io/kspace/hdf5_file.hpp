#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/kspace/isolated.hpp"

namespace reseda::io::detail {

/// An identifier of HDF5's C library with the function that closes it.
class Hdf5Handle {
 public:
  using Close = int (*)(std::int64_t);
  Hdf5Handle(std::int64_t id, Close close) : id_(id), close_(close) {}
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(other.id_), close_(other.close_) { other.id_ = -1; }
  Hdf5Handle(const Hdf5Handle&) = delete;
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  std::int64_t get() const { return id_; }
  bool valid() const { return id_ >= 0; }

 private:
  std::int64_t id_;
  Close close_;
};

/// An HDF5 file that nobody vouches for, read inside run_isolated() only. Followed are hard links; refused are soft and
/// external links, external and virtual storage, filters other than deflate, shuffle and fletcher32, chunks above 256
/// MB and datasets that the file's bytes cannot hold. No plug-ins are loaded.
class Hdf5File {
 public:
  /// @throws Error{kInput} naming the file
  explicit Hdf5File(const std::filesystem::path& path);

  /// Whether a path of names with '/' between leads to a dataset.
  bool has(const std::string& path) const;
  std::vector<std::int64_t> shape(const std::string& path) const;
  /// Reads a dataset of complex numbers, compounds of two floats named r and i or real and imag, as complex64 "values".
  void hand_complex(const std::string& path, HandoverWriter& writer) const;
  /// Reads a dataset of numbers or of h5py's booleans as float32 "numbers".
  void hand_floats(const std::string& path, HandoverWriter& writer) const;
  /// Reads one text of fixed or variable length, at most 16 MB, as "header".
  void hand_text(const std::string& path, HandoverWriter& writer) const;
  /// Reads the acquisitions of ISMRMRD: "heads" int32 [N, kAcquisitionFields] and "samples" complex64 [total].
  void hand_acquisitions(const std::string& path, HandoverWriter& writer) const;

 private:
  /// The dataset, with everything about it checked. @throws Error{kInput}
  Hdf5Handle dataset(const std::string& path) const;
  std::string where(const std::string& path) const { return name_ + ": " + path; }
  std::string name_;
  std::uint64_t bytes_ = 0;
  Hdf5Handle file_;
};

}  // namespace reseda::io::detail
