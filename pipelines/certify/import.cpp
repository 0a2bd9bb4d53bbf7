#include "pipelines/certify/import.hpp"

#include <filesystem>
#include <vector>

#include "io/checkpoint/safetensors.hpp"
#include "io/record/sha256.hpp"
#include "modules/core/error.hpp"
#include "modules/core/log.hpp"
#include "pipelines/certify/published_classifier.hpp"
#include "pipelines/certify/run_request.hpp"
#include "pipelines/common/config_layers.hpp"

namespace reseda::certify {
namespace {

int import(const app::Flags& flags) {
  const std::filesystem::path file = flags.text("CHECKPOINT"), target = flags.text("output");
  std::error_code ignored;
  RESEDA_REQUIRE(flags.on("overwrite") || !std::filesystem::exists(target, ignored), Errc::kOutput, target.string(),
                 ": exists already (--overwrite replaces it)");
  const std::vector<double> sigmas =
      flags.given("sigma") ? parse_numbers("--sigma", flags.text("sigma")) : std::vector<double>{};
  const ConfigNode published = app::ConfigLayers().add_file(flags.text("architecture")).merged({});
  const CertifyModel model = read_published(file, published, sigmas);
  StateDict out = model.to_file();
  out.metadata["reseda.source"] = file.filename().string();
  out.metadata["reseda.source_sha256"] = io::sha256_file(file, Errc::kCheckpoint);
  io::write_safetensors(out, target);
  log::info("written: ", target.string(), ", ", model.config().classes, " classes of ", model.config().input.size,
            " x ", model.config().input.size, " pixels");
  return 0;
}

}  // namespace

app::Verb import_verb() {
  app::Verb verb;
  verb.name = "import";
  verb.about = "Makes a model file of a PyTorch checkpoint whose architecture is one of the networks here.";
  verb.example =
      "reseda certify import noise_0.25/checkpoint.pth.tar --architecture certify/cohen-cifar10-resnet110 --sigma 0.25 "
      "-o cohen-0.25.safetensors";
  verb.flags
      .add({.name = "CHECKPOINT",
            .help = "PyTorch checkpoint; tensors are read, nothing in it is run",
            .hint = app::ValueHint::kFile,
            .required = true,
            .positional = true})
      .add({.name = "architecture",
            .letter = 'a',
            .word = "NAME|FILE",
            .help = "shipped config of such checkpoints, e.g. certify/cohen-imagenet-resnet50, or a YAML file with the "
                    "same keys",
            .hint = app::ValueHint::kFile,
            .required = true})
      .add({.name = "sigma",
            .word = "LIST",
            .help = "noise that this file was trained with, of values in [0, 1], in place of the config's"})
      .add({.name = "output",
            .letter = 'o',
            .word = "FILE",
            .help = "safetensors file to write",
            .hint = app::ValueHint::kFile,
            .required = true})
      .add({.name = "overwrite", .type = app::FlagType::kSwitch, .help = "replace the file if it is there"});
  verb.run = import;
  return verb;
}

}  // namespace reseda::certify
