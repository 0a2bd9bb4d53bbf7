#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "modules/core/state_dict.hpp"
#include "tests/io/checkpoint/torch_builder.hpp"

namespace reseda::speech {

/// A checkpoint as Lightning and the official training write it, made without Python.
class OfficialFile {
 public:
  using Setting = std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::int64_t>>;

  std::vector<std::pair<std::string, Setting>> hyper_parameters;
  std::vector<StateDict::Entry> weights;       ///< state_dict, under these names
  std::vector<at::Tensor> averages;            ///< ema/shadow_params; none: no "ema"
  std::string class_name = "SpecsDataModule";  ///< named by hyper_parameters
  std::string class_module = "sgmse.data_module";

  std::string bytes() const {
    tests::TorchZip zip;
    tests::Pickle pickle;
    pickle.raw("}(").text("epoch").integer(2).text("state_dict").raw("}(");
    for (const auto& [name, tensor] : weights) put(pickle.text(name), zip, tensor);
    pickle.raw("u");
    if (!averages.empty()) {
      pickle.text("ema").raw("}(").text("num_updates").integer(6).text("shadow_params").raw("](");
      for (const at::Tensor& tensor : averages) put(pickle, zip, tensor);
      pickle.raw("e").text("collected_params").raw("Nu");
    }
    if (!hyper_parameters.empty()) {
      pickle.text("hyper_parameters").raw("}(");
      for (const auto& [name, value] : hyper_parameters) put(pickle.text(name), value);
      if (!class_name.empty()) pickle.text("data_module_cls").global(class_module, class_name);
      pickle.raw("u");
    }
    zip.pickle = pickle.raw("u").end();
    return zip.bytes();
  }

 private:
  static void put(tests::Pickle& pickle, const Setting& value) {
    if (std::holds_alternative<std::monostate>(value)) pickle.raw("N");
    if (const auto* flag = std::get_if<bool>(&value)) pickle.raw(*flag ? "\x88" : "\x89");
    if (const auto* number = std::get_if<std::int64_t>(&value)) pickle.integer(*number);
    if (const auto* text = std::get_if<std::string>(&value)) pickle.text(*text);
    if (const auto* list = std::get_if<std::vector<std::int64_t>>(&value)) pickle.integers(*list);
    if (const auto* real = std::get_if<double>(&value)) {
      std::string bytes(sizeof *real, '\0');
      std::memcpy(bytes.data(), real, sizeof *real);
      std::reverse(bytes.begin(), bytes.end());  // a pickle's float is big endian
      pickle.raw("G" + bytes);
    }
  }

  static void put(tests::Pickle& pickle, tests::TorchZip& zip, const at::Tensor& tensor) {
    const at::Tensor flat = tensor.detach().contiguous();
    const std::string key = std::to_string(zip.storages.size());
    zip.storages[key] = std::string(static_cast<const char*>(flat.data_ptr()), flat.nbytes());
    pickle.tensor("FloatStorage", key, flat.numel(), 0, flat.sizes().vec(), flat.strides().vec());
  }
};

/// Hyper-parameters of a v1 model that takes milliseconds: 64 bins, three levels of 4 channels.
inline OfficialFile tiny_official() {
  OfficialFile file;
  file.hyper_parameters = {{"backbone", std::string("ncsnpp")},
                           {"sde", std::string("ouve")},
                           {"theta", 1.5},
                           {"sigma_min", 0.04},
                           {"sigma_max", 0.6},
                           {"t_eps", 0.03},
                           {"N", std::int64_t{1000}},
                           {"network_scaling", std::monostate()},
                           {"sr", std::int64_t{4000}},
                           {"nf", std::int64_t{4}},
                           {"ch_mult", std::vector<std::int64_t>{1, 1, 1}},
                           {"num_res_blocks", std::int64_t{1}},
                           {"attn_resolutions", std::vector<std::int64_t>{16}},
                           {"image_size", std::int64_t{64}},
                           {"centered", true},
                           {"n_fft", std::int64_t{126}},
                           {"hop_length", std::int64_t{32}},
                           {"spec_factor", 0.15},
                           {"spec_abs_exponent", 0.5},
                           {"transform_type", std::string("exponent")},
                           {"lr", 1e-4}};
  return file;
}

}  // namespace reseda::speech
