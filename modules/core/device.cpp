#include "modules/core/device.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <filesystem>
#include <thread>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda {
namespace {

std::filesystem::path program_folder() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path(".") : program.parent_path();
}

/// Opens libreseda_cuda.so once; the reason why not, or "".
std::string open_cuda_library() {
  static const std::string reason = [] {
    std::string text = "libreseda_cuda.so is not installed beside this program (it is built where nvcc is)";
    for (const auto& folder : {program_folder(), program_folder() / ".." / "lib"}) {
      const auto file = folder / "libreseda_cuda.so";
      std::error_code error;
      if (!std::filesystem::exists(file, error)) continue;
      if (::dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) return std::string();
      text = std::string("libreseda_cuda.so does not load: ") + ::dlerror();
    }
    return text;
  }();
  return reason;
}

}  // namespace

Precision parse_precision(const std::string& text) {
  if (text == "f32") return Precision::kF32;
  if (text == "tf32") return Precision::kTf32;
  if (text == "bf16") return Precision::kBf16;
  detail::raise(Errc::kUsage, "precision must be f32, tf32 or bf16, got '", text, "'");
}

const char* precision_name(Precision precision) {
  switch (precision) {
    case Precision::kF32: return "f32";
    case Precision::kTf32: return "tf32";
    case Precision::kBf16: return "bf16";
  }
  return "f32";
}

std::string cuda_unavailable_reason() {
  if (std::string reason = open_cuda_library(); !reason.empty()) return reason;
  return at::globalContext().hasCUDA() && at::getNumGPUs() > 0 ? std::string()
                                                                               : "no CUDA device was found";
}

c10::Device open_device(const std::string& text) {
  if (text == "cpu") return c10::Device(c10::kCPU);
  if (text == "auto") return cuda_unavailable_reason().empty() ? c10::Device(c10::kCUDA, 0) : c10::Device(c10::kCPU);
  const bool numbered = text.rfind("cuda:", 0) == 0 && text.size() > 5 && text.size() < 8 &&
                        text.find_first_not_of("0123456789", 5) == std::string::npos;
  RESEDA_REQUIRE(text == "cuda" || numbered, Errc::kUsage, "device must be auto, cpu, cuda or cuda:N, got '", text, "'");
  const std::string reason = cuda_unavailable_reason();
  RESEDA_REQUIRE(reason.empty(), Errc::kDevice, "device '", text, "' is not available: ", reason);
  const int index = numbered ? std::stoi(text.substr(5)) : 0;
  const auto count = static_cast<int>(at::getNumGPUs());
  RESEDA_REQUIRE(index < count, Errc::kDevice, "device '", text, "' does not exist: this machine has ", count);
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

void set_threads(std::int64_t threads) {
  RESEDA_REQUIRE(threads >= 0 && threads <= 1024, Errc::kUsage, "threads must be 0 to 1024, got ", threads);
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  at::set_num_threads(static_cast<int>(threads));
}

void apply_precision(Precision precision) {
  const bool tf32 = precision != Precision::kF32;
  at::globalContext().setAllowTF32CuDNN(tf32);
  at::globalContext().setAllowTF32CuBLAS(tf32);
}

}  // namespace reseda
