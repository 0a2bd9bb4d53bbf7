#include "pipelines/tools/inspect.hpp"

#include <algorithm>

#include "modules/core/error.hpp"
#include "pipelines/tools/inspection.hpp"
#include "pipelines/tools/plain_text.hpp"

namespace reseda::tools {
namespace {

/// What could be read was listed; what was not makes the command fail.
void require_complete(const Inspection& inspection, bool opaque) {
  constexpr std::size_t kNamed = 8;
  const std::vector<std::string>& refused = inspection.checkpoint.refused;
  std::string names;
  for (std::size_t i = 0; i < std::min(refused.size(), kNamed); ++i) names += (i ? ", " : "") + plain_text(refused[i]);
  if (refused.size() > kNamed) names += " and " + std::to_string(refused.size() - kNamed) + " more";
  RESEDA_REQUIRE(refused.empty() || opaque, Errc::kCheckpoint, inspection.file, ": names ",
                 counted(refused.size(), "global"), " outside the allow-list: ", names,
                 "; nothing was called; --opaque lists what they hold as opaque values");
  for (const TreeNode& node : inspection.tree.nodes())
    if (!node.damage.empty()) throw Error(Errc::kCheckpoint, node.damage);
}

int inspect(const app::Flags& flags) {
  const InspectOptions options{
      .limit = static_cast<std::size_t>(flags.integer("limit")), .all = flags.on("all"), .hash = flags.on("hash")};
  const Inspection inspection = inspect_file(flags.text("FILE"));
  flags.on("json") ? print_json(inspection, options) : print_page(inspection, options);
  require_complete(inspection, flags.on("opaque"));
  return 0;
}

}  // namespace

app::Verb inspect_verb() {
  app::FlagTable table;
  table
      .add({.name = "FILE",
            .help = "a checkpoint (.ckpt, .pth, .pt, .safetensors, or an index of safetensors shards)",
            .hint = app::ValueHint::kFile,
            .required = true,
            .positional = true})
      .add({.name = "json",
            .type = app::FlagType::kSwitch,
            .help = "print one JSON object with everything, whatever --limit says"})
      .add({.name = "limit",
            .type = app::FlagType::kInteger,
            .value = "20",
            .help = "entries shown of a container, fewer of deeper ones",
            .least = 1,
            .most = 1e6})
      .add({.name = "all", .type = app::FlagType::kSwitch, .help = "show every entry at every depth"})
      .add({.name = "hash", .type = app::FlagType::kSwitch, .help = "add the SHA-256 of each tensor's elements"})
      .add({.name = "opaque",
            .type = app::FlagType::kSwitch,
            .help = "take Python classes outside the allow-list as opaque values, not as an error (exit code 4)"});
  return {
      "inspect",
      "Shows what a checkpoint file holds: containers, tensors, settings, and where the weights are. Nothing in the "
      "file is ever called or imported.",
      "reseda tools inspect epoch=326.ckpt", table, &inspect};
}

}  // namespace reseda::tools
