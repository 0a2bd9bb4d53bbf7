#include "modules/nets/training_mode.hpp"

#include "modules/nets/network_module.hpp"

namespace reseda::nets {

void set_training(Network& network, bool on) {
  if (auto* module = dynamic_cast<NetworkModule*>(&network)) module->train(on);
}

}  // namespace reseda::nets
