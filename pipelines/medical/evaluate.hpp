#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::medical {

/// `reseda medical evaluate`: restored volumes against references, as tables and a page with pictures.
app::Verb evaluate_verb();

}  // namespace reseda::medical
