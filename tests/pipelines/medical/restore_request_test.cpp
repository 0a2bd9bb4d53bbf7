#include "pipelines/medical/restore_request.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using medical::companion_place;
using medical::memory_needed;
using medical::parse_slices;
using medical::RestoreRequest;
using medical::threads_used;
using medical::volume_or_folder;

TEST(RestoreRequest, SlicesAreCountedFromOneAndBothEndsBelong) {
  const medical::SliceRange range = parse_slices("3:5");
  EXPECT_FALSE(range.holds(1));
  EXPECT_TRUE(range.holds(2));
  EXPECT_TRUE(range.holds(4));
  EXPECT_FALSE(range.holds(5));
  EXPECT_TRUE(parse_slices("2:").holds(1000));
  EXPECT_FALSE(parse_slices("2:").holds(0));
  EXPECT_TRUE(parse_slices(":2").holds(0));
  EXPECT_FALSE(parse_slices(":2").holds(2));
  EXPECT_TRUE(parse_slices("7").holds(6));
  EXPECT_FALSE(parse_slices("7").holds(7));
  EXPECT_TRUE(parse_slices("").holds(0));
}

TEST(RestoreRequest, RefusesSlicesThatAreNone) {
  for (const char* text : {"0:2", "5:3", "a", "1:b", "1:2:3", "-1"})
    expect_error(Errc::kUsage, "--slices", [&] { parse_slices(text); });
}

TEST(RestoreRequest, AChestOf300SlicesFitsIntoFourGibibytes) {
  const std::array<std::int64_t, 3> chest = {300, 512, 512};
  RestoreRequest request;
  request.report = "page.html";
  request.mask = "mask.nii";
  EXPECT_LT(memory_needed(chest, request), std::int64_t{4} << 30);
  const std::int64_t plain = memory_needed(chest, {});
  EXPECT_GT(memory_needed(chest, request), plain);
  request = {};
  request.items = 2;
  EXPECT_GT(memory_needed(chest, request), plain);
  request = {};
  request.task = "sr-inplane";
  EXPECT_GT(memory_needed(chest, request), 4 * 4 * 300LL * 512 * 512);
}

TEST(RestoreRequest, ThreadsAreAsManyAsFitIntoTheMemoryAndAtLeastOne) {
  const std::array<std::int64_t, 3> size = {40, 64, 48};
  RestoreRequest request;
  const std::int64_t one = memory_needed(size, request);
  request.restorer.at_once = 8;
  EXPECT_EQ(threads_used(size, request), 8);
  const std::int64_t each = (memory_needed(size, request) - one) / 7;
  EXPECT_GT(each, 65 << 20);
  request.max_memory = one + 3 * each;
  EXPECT_EQ(threads_used(size, request), 4);
  EXPECT_EQ(memory_needed(size, request), request.max_memory);
  request.max_memory -= 1;
  EXPECT_EQ(threads_used(size, request), 3);
  request.max_memory = one / 2;
  EXPECT_EQ(threads_used(size, request), 1);
  EXPECT_EQ(memory_needed(size, request), one);
  request.max_memory = 0;
  EXPECT_EQ(threads_used({3, 64, 48}, request), 3) << "no more than slices";
  request.task = "sr-through";
  EXPECT_EQ(threads_used({3, 64, 48}, request), 8) << "planes across h";
  request.engine = "red-diff";
  EXPECT_EQ(threads_used(size, request), 1);
}

TEST(RestoreRequest, WorkOfAPriorIsCountedByPlanes) {
  RestoreRequest request;
  request.engine = "red-diff";
  request.prior.steps = 10;
  request.slices = {3, 5};
  const std::array<std::int64_t, 3> size = {20, 64, 48};
  medical::PriorWork work = prior_work(size, request);
  EXPECT_EQ(work.calls, 30);
  EXPECT_EQ(work.pixels, 64 * 48);
  RestoreRequest plain;
  EXPECT_GT(memory_needed(size, request), memory_needed(size, plain)) << "a whole slice is seen at once";
  request.slices = {};
  request.task = "sr-inplane";
  work = prior_work(size, request);
  EXPECT_EQ(work.calls, 200);
  EXPECT_EQ(work.pixels, 4 * 64 * 48);
  request.task = "sr-through";
  const medical::PriorWork through = prior_work(size, request);
  EXPECT_EQ(through.calls, (64 + 48) * 10);
  EXPECT_EQ(through.pixels, 40 * 64);
  EXPECT_NEAR(through.seconds, work.seconds, 1e-9) << "as many pixels";
}

TEST(RestoreRequest, FurtherFilesOfSeveralItemsHaveTheirNames) {
  EXPECT_EQ(companion_place("out/diff.nii.gz", "a/series-2", 1), "out/diff.nii.gz");
  EXPECT_EQ(companion_place("out/diff.nii.gz", "a/series-2", 3), "out/diff-a-series-2.nii.gz");
  EXPECT_EQ(companion_place("out/diff.v2.NII.GZ", "series-2", 3), "out/diff.v2-series-2.NII.GZ");
  EXPECT_EQ(companion_place("page.html", "series-2", 2), "page-series-2.html");
  EXPECT_EQ(companion_place("page", "series-2", 2), "page-series-2");
  EXPECT_EQ(companion_place("", "series-2", 2), "");
}

TEST(RestoreRequest, NamesOfFoldersAreNotCutAtDots) {
  EXPECT_EQ(companion_place("out/diff.v2/", "series-2", 1), "out/diff.v2/");
  EXPECT_EQ(companion_place("out/diff.v2/", "a/series-2", 3), "out/diff.v2-a-series-2/");
  EXPECT_EQ(companion_place("diff.nrrd/", "series-2", 3), "diff.nrrd-series-2/");
}

TEST(RestoreRequest, WhatHasNoExtensionOfAVolumeIsAFolder) {
  for (const char* file : {"", "d.nii", "a/d.nii.gz", "d.NII.GZ", "d.Nrrd", "d.mha"}) {
    EXPECT_EQ(volume_or_folder(file).string(), file);
    EXPECT_FALSE(medical::names_folder(volume_or_folder(file)));
  }
  for (const char* folder : {"d", "a/d.v2", "d.nii.gx", "d.gz"}) {
    EXPECT_EQ(volume_or_folder(folder).string(), std::string(folder) + "/");
    EXPECT_TRUE(medical::names_folder(volume_or_folder(folder)));
  }
  EXPECT_EQ(volume_or_folder("d.nrrd/").string(), "d.nrrd/") << "a folder by its '/'";
}

}  // namespace
}  // namespace reseda::tests
