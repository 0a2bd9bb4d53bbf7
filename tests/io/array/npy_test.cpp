#include "io/array/npy.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "io/array/npy_writer.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::io {
namespace {

using tests::expect_error;

/// An array file with this header, version 1, and these bytes.
std::string npy(const std::string& header, const std::string& values) {
  const auto size = static_cast<unsigned>(header.size());
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(size & 0xFF) + static_cast<char>(size >> 8) + header +
         values;
}
std::string header(const std::string& type, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}
at::Tensor parse(const std::string& bytes) {
  return parse_npy({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "a.npy");
}
std::map<std::string, at::Tensor> parse_archive(std::string bytes) {
  return parse_npz({reinterpret_cast<std::byte*>(bytes.data()), bytes.size()}, "a.npz");
}
std::string corpus(const std::string& name) {
  const std::filesystem::path file = std::filesystem::path(RESEDA_SOURCE_DIR) / "tests/fuzz/corpus/array" / name;
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Npy, ReadsWhatNumpyWrote) {
  EXPECT_TRUE(parse(corpus("float32.npy")).equal(at::arange(6, at::kFloat).reshape({2, 3}) * 0.5));
  const at::Tensor fortran = parse(corpus("fortran.npy"));
  EXPECT_TRUE(fortran.equal(at::arange(24, at::kShort).reshape({2, 3, 4})));
  EXPECT_TRUE(fortran.is_contiguous());
  const at::Tensor scalar = parse(corpus("scalar.npy"));
  EXPECT_EQ(scalar.dim(), 0);
  EXPECT_EQ(scalar.item<c10::complex<float>>(), c10::complex<float>(1, -2));
}

TEST(Npy, ReadsArchives) {
  const auto stored = parse_archive(corpus("stored.npz"));
  ASSERT_EQ(stored.size(), 2);
  EXPECT_TRUE(stored.at("m").equal(at::tensor(std::vector<int>{0b10110000, 0b01000000}, at::kByte)));
  EXPECT_TRUE(stored.at("shape").equal(at::tensor(std::vector<int>{2, 5}, at::kLong)));
  const auto compressed = parse_archive(corpus("compressed.npz"));
  EXPECT_TRUE(compressed.at("a").equal(at::eye(3, at::kDouble)));
  EXPECT_TRUE(compressed.at("b").equal(at::tensor(std::vector<int>{1, 0}).to(at::kBool)));
  EXPECT_TRUE(compressed.at("c").equal(at::arange(4294967290, 4294967293, at::kLong)));
}

TEST(Npy, ReadsFiles) {
  const tests::TemporaryFolder folder;
  EXPECT_EQ(read_npy(folder.write("a.npy", corpus("float32.npy"))).numel(), 6);
  EXPECT_EQ(read_npz(folder.write("a.npz", corpus("stored.npz"))).size(), 2);
  expect_error(Errc::kInput, "b.npy: cannot open", [&] { read_npy(folder / "b.npy"); });
  expect_error(Errc::kInput, "a.npz: is not an array", [&] { read_npy(folder / "a.npz"); });
  expect_error(Errc::kInput, "a.npy", [&] { read_npz(folder / "a.npy"); });
}

TEST(Npy, ReadsTypesAndHeaders) {
  EXPECT_TRUE(parse(npy(header("|i1", "(2,)"), "\x01\xff")).equal(at::tensor(std::vector<int>{1, -1}, at::kChar)));
  // Other bytes than 0 and 1 are true as well.
  EXPECT_TRUE(parse(npy(header("|b1", "(3,)"), std::string("\x00\x01\x02", 3)))
                  .equal(at::tensor(std::vector<int>{0, 1, 1}).to(at::kBool)));
  EXPECT_TRUE(parse(npy(header("<u2", "(1,)"), "\xff\xff")).equal(at::tensor(std::vector<int>{65535}, at::kInt)));
  EXPECT_EQ(parse(npy(header("<f8", "(0, 7)"), "")).sizes(), at::IntArrayRef({0, 7}));
  EXPECT_EQ(parse(npy(header("<f8", "(7, 0)", "True"), "")).sizes(), at::IntArrayRef({7, 0}));
  // Python 2, other quotes, no space, another order.
  EXPECT_EQ(parse(npy("{\"shape\":(1L,2L),'fortran_order':False,'descr':'|u1'}", "ab")).sizes(),
            at::IntArrayRef({1, 2}));
  const std::string second = std::string("\x93NUMPY\x02\x00", 8) + std::string("\x40\x00\x00\x00", 4) +
                             header("|u1", "(1,)") + std::string(64 - header("|u1", "(1,)").size(), ' ') + "a";
  EXPECT_EQ(parse(second).numel(), 1);
}

TEST(Npy, RefusesBrokenFiles) {
  const auto refuse = [](const std::string& text, const std::string& bytes) {
    expect_error(Errc::kInput, text, [&] { parse(bytes); });
  };
  const std::string good = npy(header("|u1", "(2,)"), "ab");
  refuse("truncated", "");
  for (std::size_t size = 0; size < good.size(); ++size) refuse("a.npy", good.substr(0, size));
  refuse("there are 3", npy(header("|u1", "(2,)"), "abc"));
  refuse("is not an array", "\x93NUMPX" + good.substr(6));
  refuse("format 9", good.substr(0, 6) + '\x09' + good.substr(7));
  refuse("header of", std::string("\x93NUMPY\x02\x00\xff\xff\xff\x7f", 12));
  refuse("not supported", npy(header("|O", "(2,)"), "ab"));
  refuse("not supported", npy(header(">f4", "(1,)"), "abcd"));
  refuse("not supported", npy(header("<U9\n", "(1,)"), "abcd"));
  refuse("records", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "abcd"));
  refuse("each key once", npy("{'descr': '|u1', 'descr': '|u1'}", "ab"));
  refuse("expected descr, fortran_order or shape", npy("{'describe': '|u1'}", "ab"));
  refuse("expected descr, fortran_order and shape", npy("{'descr': '|u1', 'shape': (2,)}", "ab"));
  refuse("True or False", npy(header("|u1", "(2,)", "1"), "ab"));
  refuse("whole number", npy(header("|u1", "(-2,)"), "ab"));
  refuse("expected ','", npy(header("|u1", "(2.0,)"), "ab"));
  refuse("whole number", npy(header("|u1", "(x,)"), "ab"));
  refuse("expected ','", npy(header("|u1", "(2 1)"), "ab"));
  refuse("its end", npy(header("|u1", "(2,)") + "}", "ab"));
  refuse("the end of a string", npy("{'descr", ""));
}

TEST(Npy, RefusesSizesBeyondTheFile) {
  const auto refuse = [](const std::string& text, const std::string& shape) {
    expect_error(Errc::kInput, text, [&] { parse(npy(header("<f8", shape), "12345678")); });
  };
  refuse("needs 8796093022208 bytes", "(1099511627776,)");
  refuse("fewer values", "(1099511627776, 1099511627776)");
  refuse("fewer values", "(0, 9223372036854775807, 9223372036854775807)");
  refuse("whole number", "(99999999999999999999,)");
  refuse("fewer values", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)");
}

TEST(NpyWriter, WritesWhatNumpySaves) {
  const std::string bytes = npy_bytes(at::tensor({1, 2, 256}, at::kShort).view({3, 1}));
  // Magic, version 1.0, the header padded so that values begin at a multiple of 64, two bytes each, low byte first.
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  ASSERT_EQ(bytes.size() % 64, 6U);
  EXPECT_NE(bytes.find("{'descr': '<i2', 'fortran_order': False, 'shape': (3, 1), }"), std::string::npos);
  EXPECT_EQ(bytes.substr(bytes.size() - 6), std::string("\x01\x00\x02\x00\x00\x01", 6));
  EXPECT_EQ(npy_bytes(at::zeros({2})), npy_bytes(at::zeros({4}).slice(0, 0, 4, 2)));
  for (const at::ScalarType type : {at::kBool, at::kByte, at::kLong, at::kHalf, at::kDouble, at::kComplexFloat}) {
    const at::Tensor values = at::tensor({0, 1, 1, 0, 1, 0}).view({2, 3}).to(type).t();
    const at::Tensor back = parse(npy_bytes(values));
    EXPECT_TRUE(back.equal(values) && back.scalar_type() == type) << type;
  }
  expect_error(Errc::kOutput, "", [] { npy_bytes(at::zeros({2}, at::kBFloat16)); });
}

}  // namespace
}  // namespace reseda::io
