#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "modules/core/config.hpp"
#include "modules/core/noise.hpp"
#include "modules/core/state_dict.hpp"

namespace reseda::golden {

/// Largest difference allowed per element (of a complex tensor: per part): atol + rtol |expected|, the modulus if
/// complex.
struct Tolerance {
  double atol = 0, rtol = 0;
};

/// One recorded case: `<name>.json` with its settings, and mostly `<name>.safetensors` beside it. Names of tensors are
/// given without the ".ri" that ends a complex one stored as real pairs; both spellings are found. Every tensor named
/// in., draw., mid. or out. must be read, checked or drawn before the case ends (finish()); out64.* is exempt. With
/// RESEDA_GOLDEN_VERBOSE in the environment every comparison prints its largest difference.
class GoldenCase {
 public:
  /// @param json_file  the case; its system is the folder's name or, failing that, follows from the official repository
  /// @throws Error unless the files are readable
  explicit GoldenCase(std::filesystem::path json_file);

  const std::string& name() const { return name_; }      ///< file name without extension
  const std::string& system() const { return system_; }  ///< sgmse, rddm, ...
  const std::string& kind() const { return kind_; }
  const nlohmann::json& json() const { return json_; }
  /// The json's "config". @throws Error{kInput} if absent
  const nlohmann::json& config() const;
  /// A file of the folder in which the case lies.
  std::filesystem::path sibling(const std::string& file) const { return file_.parent_path() / file; }

  bool has(const std::string& tensor_name) const;
  /// Names that start with the prefix, without ".ri", sorted.
  std::vector<std::string> names(std::string_view prefix) const;

  /// A tensor by its full name, such as "in.x"; complex64 where stored as ".ri", float32 where float16; others as
  /// stored.
  /// @throws Error{kInput} naming the missing tensor
  at::Tensor tensor(const std::string& tensor_name);
  /// tensor("in." + name)
  at::Tensor input(const std::string& tensor_name) { return tensor("in." + tensor_name); }

  /// weights.* of this case or of the case that "weights_from" names, without "weights." and the further prefix;
  /// float32. Where "weights_from" names several cases, the one named for "<prefix>weights." or for the prefix without
  /// its dot. The case may lie in the same folder or in any folder of golden_folders(). @throws Error{kInput} if there
  /// are none
  StateDict weights(const std::string& prefix = "") const;

  /// The recorded draws in order, as the NoiseSource to hand to the code under test. All of them must be drawn.
  RecordedNoise& noise();
  /// Starts the recorded draws anew, for a kind that runs several variants on the same draws.
  void rewind_noise();
  /// The recorded draws themselves, for a kind that hands them out in another way; counts as drawing all.
  std::vector<at::Tensor> draws();

  /// The tolerance that the json suggests, for this tensor or else for all; exact for integers; 1e-5 of the largest
  /// value where the json gives none.
  Tolerance tolerance(const std::string& tensor_name) const;
  /// Compares with the recorded tensor of this full name and reports a test failure with the largest difference, its
  /// index and both values. @throws Error{kInput} if the tensor is not recorded
  void check(const std::string& tensor_name, const at::Tensor& actual);
  void check(const std::string& tensor_name, const at::Tensor& actual, Tolerance allowed);
  /// check() of one item of the recorded tensor's first axis, given as a batch of one.
  void check_item(const std::string& tensor_name, std::int64_t item, const at::Tensor& actual);
  /// check() where the tensor is recorded; large ones are left out of the files.
  void check_if_recorded(const std::string& tensor_name, const at::Tensor& actual);
  /// For comparisons that a kind makes by itself: counts as a check, and marks nothing.
  void count_check() { ++checks_; }

  /// Reports, as test failures by name, tensors never used, draws left over, and a case in which nothing was checked.
  void finish();

 private:
  std::optional<std::string> key(const std::string& tensor_name) const;
  std::vector<std::string> draw_keys() const;
  void compare(const std::string& label, const at::Tensor& actual, const at::Tensor& expected, Tolerance allowed);

  std::filesystem::path file_;
  std::string name_, system_, kind_;
  nlohmann::json json_;
  StateDict tensors_;
  std::set<std::string, std::less<>> used_;
  std::unique_ptr<RecordedNoise> noise_;
  std::size_t drawn_ = 0;
  std::size_t checks_ = 0;
};

/// The folders of RESEDA_GOLDEN_DIRS (separated by colons) or, without it, ../shared/golden and tests/golden.
std::vector<std::filesystem::path> golden_folders();

/// The system of a case file: the nearest folder named like one, else by the json's official repository, else "".
std::string system_of(const std::filesystem::path& json_file, const nlohmann::json& json);

/// Parses a json in which Python may have written Infinity and NaN, which become null.
nlohmann::json parse_json(const std::string& text);

/// A json value as the tree that read_config() and make_network() take.
ConfigNode to_config(const nlohmann::json& value);

}  // namespace reseda::golden
