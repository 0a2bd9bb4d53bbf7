#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "modules/core/config_node.hpp"
#include "modules/core/state_dict.hpp"
#include "modules/train/trainer.hpp"

namespace reseda::app {

/// Appends one JSON object per line to a file: a log of a training run for people and plots.
class RunLog {
 public:
  /// @throws Error{kOutput} if the file cannot be written
  explicit RunLog(const std::filesystem::path& file);
  void write(const ConfigNode& line);

 private:
  std::ofstream out_;
};

/// node[key] = value rounded to five decimals; numbers that JSON cannot hold are left out.
void put_figure(ConfigNode& node, const std::string& key, double value);

/// The folder of a training run: model.safetensors and state.safetensors, each written under another name and renamed.
class TrainingFolder {
 public:
  /// @param identity  everything a resumed run must agree on, as text
  /// @throws Error{kOutput} if the folder holds a run already and `resume` is off
  TrainingFolder(std::filesystem::path folder, std::string identity, bool resume);

  /// Continues the run that the folder holds, if any. @throws Error{kCheckpoint} if it is of another identity
  void restore(train::Trainer& trainer) const;
  /// @param model  what the folder's model file is to hold
  void save(const StateDict& model, const train::Trainer& trainer) const;
  std::filesystem::path model_file() const { return folder_ / "model.safetensors"; }
  std::filesystem::path log_file() const { return folder_ / "log.jsonl"; }

 private:
  std::filesystem::path state_file() const { return folder_ / "state.safetensors"; }

  std::filesystem::path folder_;
  std::string identity_;
};

/// Writes a line every 50 steps and keeps the running mean of the loss.
class StepLog {
 public:
  StepLog(RunLog& log, std::int64_t first_step) : log_(log), first_step_(first_step) {}
  /// @return the running mean of the loss
  double add(std::int64_t step, const train::StepLoss& loss, double gradient_norm, double learning_rate);

 private:
  RunLog& log_;
  std::int64_t first_step_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  double recent_ = 0;
};

}  // namespace reseda::app
