#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::infrared {

/// `reseda infrared evaluate`: restored frames against references, as tables and a page with pictures.
app::Verb evaluate_verb();

}  // namespace reseda::infrared
