#include "pipelines/certify/script_network.hpp"

#include <torch/script.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::certify {
namespace {

std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

class ScriptNetwork final : public nets::Network {
 public:
  explicit ScriptNetwork(torch::jit::Module module) : module_(std::move(module)) {}

  at::Tensor forward(const at::Tensor& x, const at::Tensor& /*y*/, const at::Tensor& /*t*/) override {
    RESEDA_REQUIRE(compute_type() == at::kFloat, Errc::kUsage,
                   "a TorchScript program computes as it was written: "
                   "--precision f32");
    try {
      const c10::IValue out = module_.forward({x});
      RESEDA_REQUIRE(out.isTensor(), Errc::kCheckpoint, "the TorchScript program gives a ", out.tagKind(),
                     ", expected a tensor of logits");
      return out.toTensor().to(at::kFloat);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw Error(Errc::kCheckpoint, "the TorchScript program fails on " + std::to_string(x.size(0)) + " images of " +
                                         std::to_string(x.size(1)) + " x " + std::to_string(x.size(2)) + " x " +
                                         std::to_string(x.size(3)) + ": " + first_line(error));
    }
  }
  std::vector<StateDict::Entry> tensors() const override {
    std::vector<StateDict::Entry> out;
    for (const auto& parameter : module_.named_parameters()) out.emplace_back(parameter.name, parameter.value);
    for (const auto& buffer : module_.named_buffers()) out.emplace_back(buffer.name, buffer.value);
    return out;
  }
  void to(c10::Device device) override { module_.to(device); }

 private:
  torch::jit::Module module_;
};

}  // namespace

std::shared_ptr<nets::Network> read_torch_script(const std::filesystem::path& file) {
  std::error_code ignored;
  RESEDA_REQUIRE(std::filesystem::is_regular_file(file, ignored), Errc::kCheckpoint, file.string(), ": no such file");
  torch::jit::setGraphExecutorOptimize(false);
  try {
    torch::jit::Module module = torch::jit::load(file.string(), at::kCPU);
    module.eval();
    return std::make_shared<ScriptNetwork>(std::move(module));
  } catch (const std::exception& error) {
    throw Error(Errc::kCheckpoint,
                file.string() + ": not a TorchScript program that can be read: " + first_line(error));
  }
}

}  // namespace reseda::certify
