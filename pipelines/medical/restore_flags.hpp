#pragma once

#include "pipelines/common/flags.hpp"

namespace reseda::medical {

/// What `restore` has besides the flags of every batch.
app::FlagTable restore_flags();

}  // namespace reseda::medical
