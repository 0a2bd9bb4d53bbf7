#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::certify {

/// `reseda certify analyze`: results of runs in, curves, tables and a page out.
app::Verb analyze_verb();

}  // namespace reseda::certify
