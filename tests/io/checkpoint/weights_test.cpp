#include "io/checkpoint/weights.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "tests/io/checkpoint/value_builder.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::io {
namespace {

using testing::ElementsAre;
using tests::expect_error;
using tests::ValueBuilder;

const std::vector<std::string> kWanted = {"head.weight", "head.bias"};

at::Tensor filled(double value) { return at::full({2}, value); }

class FindWeights : public testing::Test {
 protected:
  /// Both tensors of the network behind a prefix, with one value each.
  ValueBuilder::Cell net(const std::string& prefix, double value) {
    return build.tensors({{prefix + "head.weight", filled(value)}, {prefix + "head.bias", filled(value + 0.5)}});
  }
  FoundWeights find(ValueBuilder::Cell root, const WeightsConfig& config = {},
                    const std::vector<std::string>& wanted = kWanted) {
    return find_weights(build.checkpoint(root), config, wanted);
  }
  void refuse(ValueBuilder::Cell root, const std::string& message, const WeightsConfig& config = {}) {
    expect_error(Errc::kCheckpoint, message, [&] { find(root, config); });
  }
  static double first(const FoundWeights& found) { return found.tensors.at("head.weight")[0].item<double>(); }
  static std::vector<std::string> names(const FoundWeights& found) {
    std::vector<std::string> out;
    for (const auto& [name, tensor] : found.tensors) out.push_back(name);
    return out;
  }

  ValueBuilder build;
};

TEST_F(FindWeights, InEveryContainerAndBehindEveryPrefix) {
  for (const char* container : {"state_dict", "model", "model_state_dict", "params", "net", "generator"}) {
    for (const char* prefix : {"", "module.", "dnn.", "module._orig_mod.", "denoising_module.", "a.b.c."}) {
      const FoundWeights found = find(build.dict({{"epoch", build.integer(3)}, {container, net(prefix, 1)}}));
      EXPECT_EQ(found.container, container);
      EXPECT_EQ(found.prefix, prefix);
      EXPECT_EQ(found.average, "");
      EXPECT_THAT(names(found), ElementsAre("head.weight", "head.bias"));
    }
  }
  EXPECT_EQ(find(net("", 1)).container, ".");
  EXPECT_EQ(find(build.dict({{"model", build.dict({{"state_dict", net("", 1)}})}})).container, "model/state_dict");
}

TEST_F(FindWeights, KeepsOthersUnderTheirFullNames) {
  const auto root = build.dict({{"state_dict", build.tensors({{"dnn.head.weight", filled(1)},
                                                              {"pesq_loss.fbank", filled(2)},
                                                              {"dnn.head.bias", filled(3)},
                                                              {"dnn.extra", filled(4)}})}});
  EXPECT_THAT(names(find(root)), ElementsAre("head.weight", "head.bias", "extra", "pesq_loss.fbank"));
}

TEST_F(FindWeights, PassesOverOptimisersAndTakesTheMostFitting) {
  const auto root = build.dict({{"optimizer", net("", 5)},
                                {"opt0", net("", 6)},
                                {"callbacks", build.dict({{"best", net("", 7)}})},
                                {"discriminator", build.tensors({{"head.weight", filled(8)}})},
                                {"model", net("module.", 1)}});
  EXPECT_EQ(first(find(root)), 1.0);
}

TEST_F(FindWeights, ListsTheCandidatesWhereTheChoiceIsNotClear) {
  const auto params = build.dict({{"params", net("", 1)}, {"params_ema", net("", 2)}});
  refuse(params,
         "more than one place may hold the weights: 'params' (2 tensors), 'params_ema' (2 tensors); set "
         "weights.container (or weights.average) to one of them");
  EXPECT_EQ(first(find(params, {.container = "params_ema"})), 2.0);
  EXPECT_EQ(first(find(params, {.average = "raw"})), 1.0);
  EXPECT_EQ(first(find(params, {.average = "prefer_ema"})), 2.0);
  const FoundWeights averaged = find(params, {.average = "ema"});
  EXPECT_EQ(first(averaged), 2.0);
  EXPECT_EQ(averaged.average, "params_ema");

  const auto two = build.dict({{"ema", build.tensors({{"online_model.head.weight", filled(1)},
                                                      {"online_model.head.bias", filled(1)},
                                                      {"ema_model.head.weight", filled(2)},
                                                      {"ema_model.head.bias", filled(2)}})}});
  refuse(two,
         "more than one place may hold the weights: 'ema' with prefix 'ema_model.' (2 tensors), 'ema' with prefix "
         "'online_model.' (2 tensors); set weights.prefix");
  EXPECT_EQ(first(find(two, {.prefix = "ema_model."})), 2.0);
  EXPECT_EQ(first(find(two, {.prefix = "online_model."})), 1.0);
}

TEST_F(FindWeights, TakesOneDictionaryUnderTwoNamesForOne) {
  const auto same = net("", 1);
  EXPECT_EQ(find(build.dict({{"model", same}, {"state_dict", same}})).container, "model");
}

TEST_F(FindWeights, NamesWhatIsThereWhereNothingFits) {
  refuse(build.dict({{"state_dict", build.tensors({{"other", filled(1)}})}}),
         "no weights of this network are there; dictionaries of tensors in the file: 'state_dict' (1 tensors)");
  refuse(build.dict({{"epoch", build.integer(1)}}),
         "no weights of this network are there; dictionaries of tensors in the file: none");
  refuse(build.text("hello"), "dictionaries of tensors in the file: none");
  refuse(build.dict({{"state_dict", net("", 1)}}), "weights.container is 'model'", {.container = "model"});
  refuse(build.dict({{"state_dict", net("", 1)}}), "no tensor of 'state_dict' starts with 'dnn.' (weights.prefix)",
         {.container = "state_dict", .prefix = "dnn."});
}

TEST_F(FindWeights, ReplacesRawWeightsByTheListOfAverages) {
  const auto shadow = build.list({build.tensor(filled(10)), build.tensor(filled(11))});
  const auto root = build.dict({{"state_dict", net("dnn.", 1)},
                                {"ema", build.dict({{"decay", build.real(0.999)},
                                                    {"num_updates", build.integer(4)},
                                                    {"shadow_params", shadow},
                                                    {"collected_params", build.none()}})}});
  refuse(root,
         "the file holds raw weights and running averages ('ema/shadow_params' (2 tensors)): set weights.average");
  for (const char* average : {"ema", "prefer_ema", "ema/shadow_params"}) {
    const FoundWeights found = find(root, {.average = average});
    EXPECT_EQ(first(found), 10.0);
    EXPECT_EQ(found.tensors.at("head.bias")[0].item<double>(), 11.0);
    EXPECT_EQ(found.average, "ema/shadow_params");
  }
  EXPECT_EQ(first(find(root, {.average = "raw"})), 1.0);
  refuse(root, "no list of averages 'model_ema' is there; lists in the file: 'ema/shadow_params' (2 tensors)",
         {.average = "model_ema"});
}

TEST_F(FindWeights, NeedsAnAverageOnlyWhereItIsAskedFor) {
  const auto root = build.dict({{"state_dict", net("", 1)}});
  refuse(root, "the file holds no running average of the weights (weights.average is ema)", {.average = "ema"});
  EXPECT_EQ(find(root, {.average = "prefer_ema"}).average, "");
}

TEST_F(FindWeights, RefusesListsOfOtherThings) {
  const auto with = [&](ValueBuilder::Cell second) {
    return build.dict({{"state_dict", net("", 1)},
                       {"ema", build.dict({{"shadow_params", build.list({build.tensor(filled(1)), second})}})}});
  };
  refuse(with(build.integer(1)), "entry 1 of 'ema/shadow_params' is no tensor", {.average = "ema"});
  refuse(with(build.tensor(at::ones({3}))), "entry 1 of the list of averages has shape [3]", {.average = "ema"});
  refuse(with(build.opaque("a.B", build.tensor(filled(1)))), "entry 1 of 'ema/shadow_params' is no tensor",
         {.average = "ema"});
}

TEST_F(FindWeights, TakesNoTensorOutOfAnOpaqueValue) {
  refuse(build.dict({{"state_dict", build.opaque("evil.Dict", net("", 1))}}),
         "dictionaries of tensors in the file: none");
  refuse(build.opaque("evil.Dict", net("", 1)), "none");
}

TEST_F(FindWeights, WithoutANetworkTakesTheOnlyPlaceAndSharedWrappers) {
  const auto root = build.dict({{"state_dict", net("module.model.", 1)}, {"lr", build.real(1e-4)}});
  const FoundWeights found = find(root, {}, {});
  EXPECT_EQ(found.prefix, "module.model.");
  EXPECT_THAT(names(found), ElementsAre("head.weight", "head.bias"));
  expect_error(Errc::kCheckpoint, "more than one place may hold the weights: 'a' (2 tensors), 'b' (2 tensors)", [&] {
    find(build.dict({{"a", net("", 1)}, {"b", net("", 2)}}), {}, {});
  });
}

TEST_F(FindWeights, ListsPlaces) {
  const auto root = build.dict({{"state_dict", net("dnn.", 1)},
                                {"ema", build.dict({{"shadow_params", build.list({build.tensor(filled(1))})}})}});
  const std::vector<WeightsPlace> places = weights_places(build.checkpoint(root));
  ASSERT_EQ(places.size(), 2U);
  EXPECT_EQ(places[0].path, "state_dict");
  EXPECT_EQ(places[0].tensors, 2U);
  EXPECT_EQ(places[1].path, "ema/shadow_params");
  EXPECT_FALSE(places[1].named);
}

TEST(KnownClasses, AreNamedByPatterns) {
  Checkpoint checkpoint;
  checkpoint.refused = {"posix.system", "sgmse.data_module.SpecsDataModule"};
  expect_error(Errc::kCheckpoint, "the file names the Python class 'posix.system', which is not among those",
               [&] { require_known_classes(checkpoint, {.classes = {"sgmse.*"}}); });
  require_known_classes(checkpoint, {.classes = {"*"}});
  checkpoint.refused.erase(checkpoint.refused.begin());
  require_known_classes(checkpoint, {.classes = {"sgmse.*"}});
}

}  // namespace
}  // namespace reseda::io
