#pragma once

#include "modules/nets/network.hpp"

namespace reseda::nets {

/// Whether layers that behave differently in training do so: batch normalisation then takes the statistics of the batch
/// and lets its running ones follow. Networks begin as they are used.
void set_training(Network& network, bool on);

}  // namespace reseda::nets
