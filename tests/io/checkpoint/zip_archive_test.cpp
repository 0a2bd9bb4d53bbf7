#include "io/checkpoint/zip_archive.hpp"

#include <gtest/gtest.h>

#include "tests/io/checkpoint/zip_builder.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::io {
namespace {

using tests::expect_error;
using tests::span_of;
using tests::ZipBuilder;

std::string text_of(const ZipEntry& entry) {
  return {reinterpret_cast<const char*>(entry.data.data()), entry.data.size()};
}

void expect_refused(const std::string& reason, std::string bytes) {
  expect_error(Errc::kCheckpoint, reason, [&] { ZipArchive(span_of(bytes), "a.pt"); });
}

ZipBuilder two() {
  ZipBuilder zip;
  zip.add("r/one", "first").add("r/two", "second!");
  return zip;
}

TEST(ZipArchive, ListsStoredEntriesInPlace) {
  std::string bytes = two().bytes();
  const ZipArchive archive(span_of(bytes), "a.pt");
  ASSERT_EQ(archive.entries().size(), 2u);
  EXPECT_EQ(archive.entries()[0].name, "r/one");
  EXPECT_EQ(text_of(archive.entries()[0]), "first");
  ASSERT_NE(archive.find("r/two"), nullptr);
  EXPECT_EQ(text_of(*archive.find("r/two")), "second!");
  EXPECT_GE(archive.find("r/two")->data.data(), span_of(bytes).data());
  EXPECT_EQ(archive.find("r/three"), nullptr);
}

TEST(ZipArchive, ReadsZip64AlignmentAndComments) {
  ZipBuilder zip;
  zip.zip64 = true;
  zip.comment = "PK\x05\x06 is not the end record";
  zip.add({.name = "r/one", .content = "first", .align = 64});
  std::string bytes = zip.bytes();
  const ZipArchive archive(span_of(bytes), "a.pt");
  EXPECT_EQ(text_of(*archive.find("r/one")), "first");
  EXPECT_EQ((archive.find("r/one")->data.data() - span_of(bytes).data()) % 64, 0);
}

TEST(ZipArchive, ReadsAnArchiveWithoutEntries) {
  std::string bytes = ZipBuilder().bytes();
  EXPECT_TRUE(ZipArchive(span_of(bytes), "a.pt").entries().empty());
}

TEST(ZipArchive, InflatesAndChecksEverything) {
  const std::string content(100'000, 'x');
  ZipBuilder zip;
  zip.add({.name = "r/big", .content = content, .deflate = true});
  std::string bytes = zip.bytes();
  const ZipArchive archive(span_of(bytes), "a.pt");
  const ZipEntry& entry = *archive.find("r/big");
  EXPECT_TRUE(entry.deflated);
  EXPECT_LT(entry.data.size(), 1000u);
  std::string out(entry.size, '\0');
  inflate_entry(entry, span_of(out), "a.pt");
  EXPECT_EQ(out, content);

  ZipEntry wrong = entry;
  wrong.crc32 ^= 1;
  expect_error(Errc::kCheckpoint, "a.pt: zip entry 'r/big': checksum does not match",
               [&] { inflate_entry(wrong, span_of(out), "a.pt"); });
  std::string less(entry.size - 1, '\0'), more(entry.size + 1, '\0');
  for (std::string* other : {&less, &more})
    expect_error(Errc::kCheckpoint, "not of its stated size", [&] { inflate_entry(entry, span_of(*other), "a.pt"); });
  wrong = entry;
  wrong.data = wrong.data.first(wrong.data.size() - 1);
  expect_error(Errc::kCheckpoint, "is damaged", [&] { inflate_entry(wrong, span_of(out), "a.pt"); });
  entry.data[3] ^= std::byte{0xFF};
  expect_error(Errc::kCheckpoint, "a.pt: zip entry 'r/big': ", [&] { inflate_entry(entry, span_of(out), "a.pt"); });
}

TEST(ZipArchive, InflatesNothing) {
  ZipBuilder zip;
  zip.add({.name = "r/none", .content = "", .deflate = true});
  std::string bytes = zip.bytes();
  const ZipArchive archive(span_of(bytes), "a.pt");
  inflate_entry(*archive.find("r/none"), {}, "a.pt");
}

TEST(ZipArchive, RefusesDuplicatesAndOverlaps) {
  ZipBuilder twice = two();
  twice.add("r/one", "again");
  expect_refused("a.pt: zip entry 'r/one' is there twice", twice.bytes());
  // The second entry is another name of the first one's bytes.
  ZipBuilder same;
  same.add("r/a", "first");
  same.add({.name = "r/b", .content = "first", .offset = 0, .local_name = "r/b"});
  expect_refused("local header and directory disagree", same.bytes());
  // A whole archive inside a stored entry, whose inner entry is listed as well.
  ZipBuilder inner;
  inner.add("r/b", "inside");
  ZipBuilder outer;
  outer.add("r/a", inner.bytes());
  outer.add({.name = "r/b", .content = "inside", .offset = 30 + 3});
  expect_refused("zip entries 'r/a' and 'r/b' overlap", outer.bytes());
}

TEST(ZipArchive, RefusesBombs) {
  ZipBuilder zip;
  zip.add({.name = "r/bomb", .content = "x", .deflate = true, .size = kMaxZipGrowth + 4096});
  expect_refused("a.pt: zip entry 'r/bomb': compressed entries claim to hold more than", zip.bytes());
  ZipBuilder sum;
  sum.zip64 = true;
  for (int i = 0; i < 3; ++i)
    sum.add({.name = "r/" + std::to_string(i), .content = "x", .deflate = true, .size = std::uint64_t{1} << 63});
  expect_refused("(a zip bomb?)", sum.bytes());
}

TEST(ZipArchive, RefusesSizesAndOffsetsOutsideTheFile) {
  for (const std::uint64_t huge : {std::uint64_t{100'000}, std::uint64_t{1} << 40, ~std::uint64_t{0} - 3}) {
    ZipBuilder size;
    size.zip64 = true;
    size.add({.name = "r/one", .content = "first", .size = huge, .packed = huge});
    expect_refused("a.pt: zip entry 'r/one': ", size.bytes());
    ZipBuilder offset;
    offset.zip64 = true;
    offset.add({.name = "r/one", .content = "first", .offset = huge});
    expect_refused("beyond the end", offset.bytes());
    ZipBuilder directory = two();
    directory.zip64 = true;
    directory.directory_offset = huge;
    expect_refused("a.pt: zip directory of ", directory.bytes());
    directory.directory_offset.reset();
    directory.directory_size = huge;
    expect_refused("lies outside the file", directory.bytes());
    directory.directory_size.reset();
    directory.entries = huge;
    expect_refused("cannot list", directory.bytes());
    directory.entries.reset();
    directory.locator_offset = huge;
    expect_refused("zip64 end record", directory.bytes());
  }
}

TEST(ZipArchive, RefusesWhatItsHeadersDisagreeOn) {
  ZipBuilder name;
  name.add({.name = "r/one", .content = "first", .local_name = "r/two"});
  expect_refused("a.pt: zip entry 'r/one': local header and directory disagree", name.bytes());
  ZipBuilder size;
  size.add({.name = "r/one", .content = "first", .local_size = 4});
  expect_refused("local header and directory disagree", size.bytes());
  ZipBuilder stored;
  stored.add({.name = "r/one", .content = "first", .size = 4});
  expect_refused("stored, but its two sizes 5 and 4 differ", stored.bytes());
  ZipBuilder method;
  method.add({.name = "r/one", .content = "first", .method = 14});
  expect_refused("compression method 14, expected stored or deflated", method.bytes());
  ZipBuilder encrypted;
  encrypted.add({.name = "r/one", .content = "first", .flags = 1});
  expect_refused("a.pt: zip entry 'r/one': is encrypted", encrypted.bytes());
  ZipBuilder fewer = two();
  fewer.entries = 1;
  expect_refused("bytes after its last entry", fewer.bytes());
}

TEST(ZipArchive, RefusesEveryTruncation) {
  for (const bool wide : {false, true}) {
    ZipBuilder zip = two();
    zip.zip64 = wide;
    const std::string whole = zip.bytes();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      std::string cut = whole.substr(0, size);
      EXPECT_THROW(ZipArchive(span_of(cut), "a.pt"), Error) << size;
    }
  }
  expect_refused("zip archive without its directory at the end (a truncated download?)",
                 two().bytes() + std::string(9, 0));
}

}  // namespace
}  // namespace reseda::io
