#include "pipelines/restoration/image_set.hpp"

#include "tests/pipelines/restoration/restoration_fixture.hpp"

namespace reseda::restoration {
namespace {

TEST(ImageSetTest, ReadsFoldersInTheOrderOfNames) {
  const tests::TemporaryFolder folder;
  write_frame(folder / "b.png", 12, 16, 1);
  write_frame(folder / "a.png", 12, 16, 2);
  write_frame(folder / "deep/c.png", 14, 10, 3);
  const ImageSet set = read_images({folder.path()}, 8);
  EXPECT_EQ(set.names, (std::vector<std::string>{"a.png", "b.png", "deep/c.png"}));
  EXPECT_EQ(set.images[2].sizes(), at::IntArrayRef({1, 14, 10}));
  EXPECT_EQ(set.full_scales, (std::vector<double>{255, 255, 255}));
  EXPECT_EQ(set.images[0][0][3][5].item<float>(), static_cast<float>(made_frame(12, 16, 2)[3 * 16 + 5]));
  expect_error(Errc::kInput, "expected at least 11", [&] { read_images({folder.path()}, 11); });
  expect_error(Errc::kInput, "nowhere", [&] { read_images({folder / "nowhere"}, 1); });
}

TEST(ImageSetTest, HoldsOutEveryNth) {
  ImageSet set;
  for (int i = 0; i < 7; ++i) {
    set.names.push_back(std::to_string(i));
    set.images.push_back(at::full({1, 1, 1}, i));
    set.full_scales.push_back(i);
  }
  const HeldOut parts = hold_out(set, 3);
  EXPECT_EQ(parts.validation.names, (std::vector<std::string>{"2", "5"}));
  EXPECT_EQ(parts.training.names, (std::vector<std::string>{"0", "1", "3", "4", "6"}));
  EXPECT_EQ(parts.validation.images[1].item<int>(), 5);
  EXPECT_EQ(parts.validation.full_scales, (std::vector<double>{2, 5}));
  EXPECT_TRUE(hold_out(set, 0).validation.images.empty());
  EXPECT_EQ(hold_out(set, 7).validation.names, (std::vector<std::string>{"6"}));
  expect_error(Errc::kInput, "too few images to hold out every 8th", [&] { hold_out(set, 8); });
}

TEST(RandomCropsTest, TakesEveryTurnOfPlacesInsideTheImages) {
  ImageSet set;
  set.names = {"ramp"};
  set.images = {at::arange(20 * 30, at::kFloat).reshape({1, 20, 30})};
  const at::Tensor crops = random_crops(set, 64, 8, 5, 0);
  EXPECT_EQ(crops.sizes(), at::IntArrayRef({64, 1, 8, 8}));
  int kinds[8] = {};
  for (std::int64_t i = 0; i < 64; ++i) {
    const at::Tensor crop = crops[i][0];
    const int down = static_cast<int>((crop[1][0] - crop[0][0]).item<float>());
    const int right = static_cast<int>((crop[0][1] - crop[0][0]).item<float>());
    ASSERT_TRUE((std::abs(down) == 30 && std::abs(right) == 1) || (std::abs(down) == 1 && std::abs(right) == 30));
    ++kinds[(down > 0 ? 0 : 1) + (right > 0 ? 0 : 2) + (std::abs(down) == 30 ? 0 : 4)];
  }
  for (const int count : kinds) {
    EXPECT_GT(count, 0);
  }
  EXPECT_TRUE(crops.equal(random_crops(set, 64, 8, 5, 0)));
  EXPECT_TRUE(crops.narrow(0, 0, 3).equal(random_crops(set, 3, 8, 5, 0)));
  EXPECT_FALSE(crops.equal(random_crops(set, 64, 8, 5, 1)));
  EXPECT_FALSE(crops.equal(random_crops(set, 64, 8, 6, 0)));
}

}  // namespace
}  // namespace reseda::restoration
