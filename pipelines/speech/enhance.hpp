#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::speech {

/// `reseda speech enhance`: recordings in, clean recordings out.
app::Verb enhance_verb();

}  // namespace reseda::speech
