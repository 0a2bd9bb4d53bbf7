#include "pipelines/medical/restore_flags.hpp"

namespace reseda::medical {
namespace {

using app::FlagType;

void add_restoration(app::FlagTable& table) {
  const std::string group = "Restoration";
  table.add({.name = "task",
             .value = "denoise",
             .help = "denoise; sr-inplane: twice the rows and columns; sr-through: twice the slices",
             .group = group,
             .choices = {"denoise", "sr-inplane", "sr-through"}});
  table.add({.name = "engine",
             .value = "residual-diffusion",
             .help = "residual-diffusion: a trained model, few calls; red-diff: an unconditional prior, slow, for "
                     "comparison; --print-config shows its settings",
             .group = group,
             .choices = {"residual-diffusion", "red-diff"}});
  table.add({.name = "model",
             .letter = 'm',
             .word = "NAME|FILE",
             .help = "a shipped model by name, or a safetensors file; by default medical-denoise-ct for CT, "
                     "and for PET, whose values are scaled as those of MR, medical-denoise-mr for MR, "
                     "medical-sr for the other tasks, and medical-prior for red-diff",
             .group = group,
             .hint = app::ValueHint::kFile});
  table.add({.name = "modality",
             .value = "auto",
             .help = "by default as DICOM says, of other files by their values: CT where one is -500 or less, else MR",
             .group = group,
             .choices = {"auto", "ct", "mr", "pet"}});
  table.add({.name = "noise",
             .type = FlagType::kNumber,
             .word = "SIGMA",
             .help = "standard deviation of the noise in units of the volume, e.g. HU; of MR, of each channel; by "
                     "default measured",
             .group = group,
             .least = 0.0});
  table.add({.name = "strength",
             .type = FlagType::kNumber,
             .value = "1",
             .help = "share of the denoised volume; the rest is the input",
             .group = group,
             .least = 0.0,
             .most = 1.0});
  table.add({.name = "slices",
             .word = "A:B",
             .help = "denoise slices A to B alone, counted from 1 in the order of their positions",
             .group = group});
  table.add({.name = "mask",
             .word = "FILE",
             .help = "volume on the same grid; where it is 0 the input stays as it is",
             .group = group,
             .hint = app::ValueHint::kFile});
  table.add({.name = "sampler", .word = "NAME", .help = "a sampler in place of the model's own", .group = group});
  table.add({.name = "max-memory",
             .word = "SIZE",
             .help = "refuse volumes that need more than this, e.g. 4GiB, before any work",
             .group = group});
}

void add_further_files(app::FlagTable& table) {
  const std::string group =
      "Further files (of several volumes, each one's name is added, before the extension of a file)";
  table.add({.name = "difference",
             .word = "FILE",
             .help =
                 "denoised volume minus input: NIfTI, NRRD or MetaImage by the extension, else, of DICOM, a folder for "
                 "a derived series",
             .group = group,
             .hint = app::ValueHint::kFile});
  table.add({.name = "uncertainty",
             .word = "FILE",
             .help = "how far noise moves the result: standard deviation over further restorations with the noise "
                     "thrown anew; not the distance from the truth; file or folder as for --difference",
             .group = group,
             .hint = app::ValueHint::kFile});
  table.add({.name = "samples",
             .type = FlagType::kInteger,
             .value = "8",
             .help = "restorations for --uncertainty",
             .group = group,
             .least = 2.0,
             .most = 1000.0});
  table.add({.name = "report",
             .word = "FILE",
             .help = "page (.html) with pictures and figures of before and after",
             .group = group,
             .hint = app::ValueHint::kFile});
}

void add_dicom(app::FlagTable& table) {
  const std::string group = "DICOM";
  table.add({.name = "series",
             .word = "UID|N",
             .help = "only this series of a study: its UID, or its place in the list",
             .group = group});
  table.add({.name = "skip-damaged",
             .type = FlagType::kSwitch,
             .help = "leave damaged images out, where otherwise nothing is done",
             .group = group});
  table.add({.name = "strip-phi",
             .type = FlagType::kSwitch,
             .help = "take out what names the patient, and replace UIDs and dates; pixels are not looked at",
             .group = group});
  table.add({.name = "phi-key",
             .word = "FILE",
             .help = "secret that the UIDs of --strip-phi come from; without it, who has the source can tell which it "
                     "is",
             .group = group,
             .hint = app::ValueHint::kFile});
  table.add({.name = "compress",
             .value = "none",
             .help = "compression of pixels, without loss",
             .group = group,
             .choices = {"none", "rle", "jpeg-ls", "jpeg-2000"}});
  table.add({.name = "keep-private",
             .type = FlagType::kSwitch,
             .help = "keep private elements, which only their makers can read and which may no longer be true",
             .group = group});
}

}  // namespace

app::FlagTable restore_flags() {
  app::FlagTable table;
  add_restoration(table);
  add_further_files(table);
  add_dicom(table);
  return table;
}

}  // namespace reseda::medical
