#include "pipelines/common/training_folder.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "io/checkpoint/safetensors.hpp"
#include "modules/core/config.hpp"

namespace reseda::app {
namespace {
constexpr const char* kConfigKey = "reseda.training";
}  // namespace

RunLog::RunLog(const std::filesystem::path& file) : out_(file, std::ios::app) {
  RESEDA_REQUIRE(out_.good(), Errc::kOutput, file.string(), ": cannot be written");
}

void RunLog::write(const ConfigNode& line) {
  out_ << line.to_json() << '\n';
  out_.flush();
}

void put_figure(ConfigNode& node, const std::string& key, double value) {
  if (!std::isfinite(value)) return;
  node[key] = ConfigNode(number_text(std::round(value * 1e5) / 1e5));
}

TrainingFolder::TrainingFolder(std::filesystem::path folder, std::string identity, bool resume)
    : folder_(std::move(folder)), identity_(std::move(identity)) {
  RESEDA_REQUIRE(resume || !std::filesystem::exists(state_file()), Errc::kOutput, folder_.string(),
                 ": holds a training run already; give --resume to continue it or another folder");
  std::filesystem::create_directories(folder_);
}

void TrainingFolder::restore(train::Trainer& trainer) const {
  if (!std::filesystem::exists(state_file())) return;
  const StateDict state = io::read_safetensors(state_file());
  const auto found = state.metadata.find(kConfigKey);
  RESEDA_REQUIRE(found != state.metadata.end() && found->second == identity_, Errc::kCheckpoint, state_file().string(),
                 ": was written with another configuration, seed or other data");
  trainer.restore(state);
}

void TrainingFolder::save(const StateDict& model, const train::Trainer& trainer) const {
  StateDict state = trainer.state();
  state.metadata[kConfigKey] = identity_;
  io::write_safetensors(model, model_file());
  io::write_safetensors(state, state_file());
}

double StepLog::add(std::int64_t step, const train::StepLoss& loss, double gradient_norm, double learning_rate) {
  const double total = loss.total.item<double>();
  if (std::isfinite(total)) recent_ = recent_ == 0 ? total : 0.98 * recent_ + 0.02 * total;
  if (step % 50 != 0) return recent_;
  ConfigNode line = ConfigNode::map();
  put_figure(line, "step", static_cast<double>(step));
  put_figure(line, "loss", recent_);
  for (const auto& [name, value] : loss.parts) put_figure(line, name, value);
  put_figure(line, "gradient_norm", gradient_norm);
  put_figure(line, "lr", learning_rate);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  put_figure(line, "seconds_per_step", seconds / static_cast<double>(step - first_step_));
  log_.write(line);
  return recent_;
}

}  // namespace reseda::app
