#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::tools {

/// "reseda tools models": the shipped models and the published checkpoints that have a config, or the files given;
/// with --verify against the hashes on record, kCheckpoint unless all are as recorded.
app::Verb models_verb();

}  // namespace reseda::tools
