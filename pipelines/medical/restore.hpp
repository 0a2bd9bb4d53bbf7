#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::medical {

/// reseda medical restore
app::Verb restore_verb();

}  // namespace reseda::medical
