#include "pipelines/tools/doctor.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "io/record/json_lines.hpp"
#include "pipelines/common/resources.hpp"
#include "pipelines/tools/plain_text.hpp"
#include "pipelines/tools/precision_check.hpp"

namespace reseda::tools {
namespace {

std::string found_folder(const std::string& kind) {
  try {
    return app::resource_folder(kind).string();
  } catch (const Error& error) {
    return std::string("not found (") + error.what() + ")";
  }
}

/// What the processor computes bfloat16 with; without such instructions `--precision bf16` saves no time.
std::string bfloat16_of(const c10::Device& device) {
  if (!device.is_cpu()) return "by the GPU";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    line += ' ';
    if (line.find(" amx_bf16 ") != std::string::npos) return "native (AMX)";
    if (line.find(" avx512_bf16 ") != std::string::npos) return "native (AVX-512)";
    break;
  }
  return "emulated: slower than f32";
}

std::string memory_text() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGE_SIZE);
  return pages > 0 && page > 0 ? size_text(static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page))
                               : "unknown";
}

/// The machine in name and value pairs.
std::vector<std::pair<std::string, std::string>> machine_facts(const c10::Device& device) {
  const std::string reason = cuda_unavailable_reason();
  return {{"reseda", app::version()},
          {"libtorch", TORCH_VERSION},
          {"cpu", at::get_cpu_capability()},
          {"bf16", bfloat16_of(device)},
          {"onednn", at::hasMKLDNN() ? "yes" : "no"},
          {"mkl", at::hasMKL() ? "yes" : "no"},
          {"memory", memory_text()},
          {"cores", std::to_string(std::thread::hardware_concurrency())},
          {"threads", std::to_string(at::get_num_threads())},
          {"device", device.str()},
          {"cuda", reason.empty() ? "available" : "not available: " + reason},
          {"configs", found_folder("configs")},
          {"models", found_folder("models")}};
}

void print_text(const std::vector<std::pair<std::string, std::string>>& facts, const std::vector<PrecisionRow>& rows) {
  for (const auto& [name, value] : facts) std::printf("%-10s %s\n", name.c_str(), value.c_str());
  std::printf("\n%-18s %-5s %-14s %10s %10s\n", "precision of", "in", "layout", "error", "limit");
  for (const PrecisionRow& row : rows)
    std::printf("%-18s %-5s %-14s %10.1e %10.1e  %s\n", row.operation.c_str(), row.precision.c_str(),
                row.layout.c_str(), row.error, row.limit, row.passed() ? "ok" : "WRONG");
}

void print_json(const std::vector<std::pair<std::string, std::string>>& facts, const std::vector<PrecisionRow>& rows) {
  io::JsonObject machine;
  for (const auto& [name, value] : facts) machine.add(name, value);
  std::puts(machine.line().c_str());
  for (const PrecisionRow& row : rows)
    std::puts(io::JsonObject()
                  .add("operation", row.operation)
                  .add("precision", row.precision)
                  .add("layout", row.layout)
                  .add("error", row.error)
                  .add("limit", row.limit)
                  .add("passed", row.passed())
                  .line()
                  .c_str());
}

int doctor(const app::Flags& flags) {
  const app::Compute compute = app::open_compute(flags);
  const auto facts = machine_facts(compute.device);
  apply_precision(Precision::kF32);  // --precision tf32 would loosen what is checked here
  const std::vector<PrecisionRow> rows = check_precision(compute.device);
  flags.on("json") ? print_json(facts, rows) : print_text(facts, rows);
  for (const PrecisionRow& row : rows)
    RESEDA_REQUIRE(row.passed(), Errc::kNumeric, row.operation, " in ", row.precision, " (", row.layout,
                   ") is wrong on this machine: error ", row.error, ", limit ", row.limit);
  return 0;
}

}  // namespace

app::Verb doctor_verb() {
  app::FlagTable table;
  table.add({.name = "json", .type = app::FlagType::kSwitch, .help = "print JSON, one object per line"});
  table.add(app::compute_flags());
  return {"doctor", "Shows what this machine offers and checks its arithmetic.", "reseda tools doctor --device cuda",
          table, &doctor};
}

}  // namespace reseda::tools
