// Draws x0 from the exact posterior of a Gaussian with the library's bridge sampler: no weights needed.
#include <ATen/ATen.h>

#include <cstdio>

#include "modules/diffusion/process.hpp"

int main() {
  reseda::ConfigNode config;
  config["name"] = reseda::ConfigNode("sb_ve");
  const auto process = reseda::diffusion::make_process(config);
  const auto marginal = process->at(0.5);
  std::printf("sb_ve at t = 0.5: a = %.4f, b = %.4f, c = %.4f\n", marginal.a.scalar(), marginal.b.scalar(),
              marginal.c.scalar());
  return 0;
}
