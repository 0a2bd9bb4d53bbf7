#include "modules/core/registry.hpp"

namespace reseda {

std::pair<std::string, ConfigNode> split_name(const ConfigNode& node, const std::string& path) {
  const ConfigNode* name = node.find("name");
  RESEDA_REQUIRE(name != nullptr && name->kind() == ConfigNode::Kind::kScalar, Errc::kUsage, "config: ", path,
                 ".name is missing");
  ConfigNode rest = ConfigNode::map();
  for (std::size_t i = 0; i < node.keys().size(); ++i)
    if (node.keys()[i] != "name") rest[node.keys()[i]] = node.items()[i];
  return {name->scalar(), std::move(rest)};
}

}  // namespace reseda
