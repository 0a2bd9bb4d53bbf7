#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::tools {

/// "reseda tools inspect": what a checkpoint file holds. kCheckpoint for a file that cannot be read, and, after the
/// page, for one that names globals outside the allow-list (unless they are asked for with --opaque).
app::Verb inspect_verb();

}  // namespace reseda::tools
