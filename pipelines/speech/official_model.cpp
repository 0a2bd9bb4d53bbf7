#include "pipelines/speech/official_model.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "modules/core/error.hpp"
#include "modules/nets/network.hpp"

namespace reseda::speech {
namespace {

class Reader {
 public:
  explicit Reader(const ConfigNode& hyper) : hyper_(hyper) {}

  OfficialModel read() {
    backbone_ = choice("backbone", "", {"ncsnpp", "ncsnpp_48k", "ncsnpp_v2"});
    bridge_ = choice("sde", "ouve", {"ouve", "sbve"}) == "sbve";
    read_front_end();
    read_network();
    read_process();
    read_parametrization();
    set_sampler();
    return std::move(out_);
  }

 private:
  bool is_48k() const { return backbone_ == "ncsnpp_48k"; }
  const ConfigNode* find(const char* key) const {
    const ConfigNode* node = hyper_.find(key);
    return node == nullptr || node->is_null() ? nullptr : node;
  }
  std::string text(const char* key, const std::string& fallback) const {
    const ConfigNode* node = find(key);
    return node == nullptr || node->kind() != ConfigNode::Kind::kScalar ? fallback : node->scalar();
  }
  std::string choice(const char* key, const std::string& fallback, std::initializer_list<const char*> known) const {
    const std::string value = text(key, fallback);
    std::string all;
    for (const char* name : known) all += (all.empty() ? "" : ", ") + std::string(name);
    RESEDA_REQUIRE(std::find(known.begin(), known.end(), value) != known.end(), Errc::kCheckpoint, "hyper-parameter ",
                   key, " is '", value, "', known are ", all);
    return value;
  }
  /// A key of the file under its name here, or what the official code had before it was stored.
  void copy(const char* key, const std::string& path, const std::string& fallback) {
    if (const ConfigNode* node = find(key))
      out_.trained.set(path, *node);
    else if (!fallback.empty())
      out_.defaults.set(path, fallback);
  }

  void read_front_end() {
    copy("n_fft", "stft.n_fft", is_48k() ? "1534" : "510");
    copy("hop_length", "stft.hop", is_48k() ? "384" : "128");
    copy("window", "stft.window", "hann");
    copy("transform_type", "transform.type", "exponent");
    copy("spec_abs_exponent", "transform.exponent", is_48k() ? "0.667" : "0.5");
    copy("spec_factor", "transform.factor", is_48k() ? "0.065" : "0.15");
    const bool wide = is_48k() || text("n_fft", "") == "1534";
    out_.defaults.set("sample_rate", wide ? std::string("48000") : text("sr", "16000"));
    out_.defaults.set("normalize", "peak");
    out_.defaults.set("level", "1");
    out_.defaults.set("padding", backbone_ == "ncsnpp" ? "zero" : "reflection");
  }

  void read_network() {
    out_.trained.set("network.name", backbone_);
    for (const ConfigField& field : find_component(nets::network_entries(), "network", backbone_).fields())
      if (const ConfigNode* node = find(field.key.c_str())) out_.trained.set("network." + field.key, *node);
  }

  void read_process() {
    out_.trained.set("process.name", bridge_ ? "sb_ve" : "ou_ve");
    if (bridge_) {
      copy("k", "process.k", "2.6");
      copy("c", "process.c", "0.4");
      copy("eps", "process.eps", "1e-8");
    } else {
      copy("theta", "process.theta", "1.5");
      copy("sigma_min", "process.sigma_min", "0.05");
      copy("sigma_max", "process.sigma_max", "0.5");
      copy("t_eps", "process.t_end", "0.03");
    }
    // A default must be laid under a component of the same name.
    out_.defaults.set("process.name", bridge_ ? "sb_ve" : "ou_ve");
  }

  void read_parametrization() {
    const bool v2 = backbone_ == "ncsnpp_v2";
    out_.trained.set("parametrization.backbone", v2 ? "v2" : "v1");
    // Of a v1 network the output is minus the score whatever the loss was called (mse, mae in older files).
    out_.trained.set("parametrization.loss_type", v2 ? text("loss_type", "score_matching") : "score_matching");
    if (!v2) return;
    const std::string scaling = text("network_scaling", "none");
    out_.trained.set("parametrization.network_scaling", scaling == "None" ? "none" : scaling);
    out_.trained.set("parametrization.c_in", text("c_in", "1"));
    out_.trained.set("parametrization.c_out", text("c_out", "1"));
    out_.trained.set("parametrization.c_skip", text("c_skip", "0"));
    out_.trained.set("parametrization.sigma_data", text("sigma_data", "0.1"));
  }

  void set_sampler() {
    const auto set = [this](const char* key, const std::string& value) {
      out_.defaults.set(std::string("sampler.") + key, value);
    };
    if (bridge_) {
      set("name", "sb_ode");
      set("steps", text("N", "50"));
      return;
    }
    set("name", "pc");
    set("steps", "30");
    set("corrector", "ald");
    set("corrector_steps", "1");
    set("snr", "0.5");
    set("t_eps", "0.03");
  }

  const ConfigNode& hyper_;
  std::string backbone_;
  bool bridge_ = false;
  OfficialModel out_{ConfigNode::map(), ConfigNode::map()};
};

}  // namespace

OfficialModel read_official_model(const ConfigNode& hyper_parameters) { return Reader(hyper_parameters).read(); }

}  // namespace reseda::speech
