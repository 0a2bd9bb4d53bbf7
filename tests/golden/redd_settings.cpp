#include "tests/golden/redd_settings.hpp"

#include <array>
#include <string>

namespace reseda::golden {
namespace {

using nlohmann::json;

constexpr std::array kWeights = {"linear", "sqrt", "square", "log", "trunc_linear", "power2over3", "const"};

/// Any other name leaves the ratio as it is.
std::string known_weight(const std::string& name) {
  for (const char* known : kWeights)
    if (name == known) return name;
  return "linear";
}

void copy(const json& from, json& to, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (from.contains(key)) to[key] = from[key];
}

void add_red_diff(const json& algo, bool returns_argument, json& solver) {
  copy(algo, solver, {"lr", "obs_weight", "grad_term_weight", "sigma_x0"});
  solver["loss"] = "official";
  solver["overwrite_measurement"] = returns_argument;
}

void add_parallel(const json& algo, json& solver) {
  copy(algo, solver, {"grad_term_weight"});
  solver["loss"] = "official";
  solver["whole_groups_only"] = true;
}

void add_sds(const json& algo, json& solver) {
  copy(algo, solver, {"lr", "grad_term_weight"});
  if (algo.at("name") == "sds") {
    copy(algo, solver, {"sigma_x0"});
    solver["loss"] = "official";
  }
}

void add_ddim(const json& algo, json& solver) {
  copy(algo, solver, {"eta"});
  solver["init"] = algo.at("sdedit").get<bool>() ? "given" : "noise";
}

void add_pgdm(const json& algo, json& solver) {
  copy(algo, solver, {"eta"});
  const std::string deg = algo.at("deg");
  solver["scale"] = algo.at("grad_term_weight");
  solver["weight"] = algo.at("mcg").get<bool>() ? "mcg" : algo.at("awd").get<bool>() ? "awd" : "jump";
  solver["renoise"] = !algo.at("awd").get<bool>();
  solver["project"] = deg.find("in2") != std::string::npos;
  solver["contrast"] = deg == "hdr" ? 1500.0 : 0.0;
}

void add_dps(const json& algo, json& solver) {
  copy(algo, solver, {"eta"});
  solver["scale"] = algo.at("grad_term_weight");
  solver["step"] = algo.at("original").get<bool>() ? "squared_norm" : "weighted";
  solver["clip"] = 0.0;
  solver["init"] = "given";
}

}  // namespace

json redd_solver_config(const json& run, bool returns_argument) {
  const json &algo = run.at("algo"), &grid = run.at("grid");
  const std::string name = algo.at("name");
  json solver = {{"grid", "strided"},
                 {"steps", grid.at("num_steps")},
                 {"start_step", grid.at("start_step")},
                 {"end_step", grid.at("end_step")}};
  if (algo.contains("denoise_term_weight")) {
    solver["denoise_term_weight"] = known_weight(algo["denoise_term_weight"]);
    solver["returns"] = "before_last_step";
  }
  const json names = {{"reddiff", "red_diff"}, {"reddiff_parallel", "red_diff_parallel"}};
  solver["name"] = names.value(name, name);
  if (name == "reddiff") add_red_diff(algo, returns_argument, solver);
  if (name == "reddiff_parallel") add_parallel(algo, solver);
  if (name == "sds" || name == "sds_var") add_sds(algo, solver);
  if (name == "ddim") add_ddim(algo, solver);
  if (name == "pgdm") add_pgdm(algo, solver);
  if (name == "dps") add_dps(algo, solver);
  if (name == "mcg") {
    copy(algo, solver, {"eta"});
    solver["scale"] = algo.at("grad_term_weight");
  }
  if (name == "ddrm") {
    copy(algo, solver, {"eta", "eta_b"});
    solver["official_quirks"] = true;
  }
  return solver;
}

}  // namespace reseda::golden
