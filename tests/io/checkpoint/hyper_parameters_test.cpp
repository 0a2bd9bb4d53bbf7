#include "io/checkpoint/hyper_parameters.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/io/checkpoint/value_builder.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::io {
namespace {

using tests::expect_error;
using tests::ValueBuilder;

TEST(HyperParameters, BecomeAConfigTree) {
  ValueBuilder build;
  const auto hyper = build.dict({{"backbone", build.text("ncsnpp")},
                                 {"theta", build.real(1.5)},
                                 {"ch_mult", build.tuple({build.integer(1), build.integer(2)})},
                                 {"centered", build.boolean(true)},
                                 {"network_scaling", build.none()},
                                 {"nested", build.dict({{"k", build.integer(-3)}})},
                                 {"data_module_cls", build.opaque("sgmse.data_module.SpecsDataModule", build.none())},
                                 {"weights", build.tensor(at::ones({2}))}});
  const ConfigNode tree = hyper_parameters(build.checkpoint(build.dict({{"hyper_parameters", hyper}}))).value();
  EXPECT_EQ(tree.to_json(), R"({"backbone": "ncsnpp", "theta": 1.5, "ch_mult": [1, 2], "centered": true, )"
                            R"("network_scaling": null, "nested": {"k": -3}})");
}

TEST(HyperParameters, AreFoundInOpaqueValuesAndMetadata) {
  ValueBuilder build;
  const auto inside =
      build.opaque("pytorch_lightning.utilities.parsing.AttributeDict", build.dict({{"sde", build.text("ouve")}}));
  EXPECT_EQ(hyper_parameters(build.checkpoint(build.dict({{"hyper_parameters", inside}})))->to_json(),
            R"({"sde": "ouve"})");
  Checkpoint safetensors = build.checkpoint(build.dict({}));
  safetensors.metadata["hyper_parameters"] = R"({"sde": "sbve"})";
  EXPECT_EQ(hyper_parameters(safetensors)->find("sde")->scalar(), "sbve");
  safetensors.metadata["hyper_parameters"] = "{";
  expect_error(Errc::kCheckpoint, "hyper_parameters", [&] { hyper_parameters(safetensors); });
  EXPECT_FALSE(hyper_parameters(build.checkpoint(build.dict({}))).has_value());
  EXPECT_FALSE(hyper_parameters(build.checkpoint(build.integer(1))).has_value());
  EXPECT_FALSE(hyper_parameters(build.checkpoint(build.dict({{"hyper_parameters", build.integer(1)}}))).has_value());
}

TEST(HyperParameters, EndWhereTheyAreDeepLongOrMany) {
  ValueBuilder build;
  auto deep = build.integer(1);
  for (int i = 0; i < 100; ++i) deep = build.list({deep});
  std::vector<ValueBuilder::Cell> many(50000, build.integer(1));
  const auto hyper = build.dict({{"deep", deep},
                                 {"long", build.text(std::string(5000, 'x'))},
                                 {std::string(5000, 'k'), build.integer(1)},
                                 {"many", build.list(many)}});
  const ConfigNode tree = config_of(build.checkpoint(hyper).root);
  EXPECT_EQ(tree.keys(), (std::vector<std::string>{"deep", "many"}));
  EXPECT_LT(tree.find("many")->items().size(), 10000U);
  EXPECT_LT(tree.find("deep")->to_json().size(), 40U);
}

}  // namespace
}  // namespace reseda::io
