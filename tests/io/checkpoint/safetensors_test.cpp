#include "io/checkpoint/safetensors.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "io/checkpoint/safetensors_header.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

namespace fs = std::filesystem;

class SafetensorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("reseda_safetensors_" + std::to_string(::getpid()) + "_" + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path file(const std::string& name) const { return folder_ / name; }

  /// A file of this header and `data` bytes 0, 1, 2, ... (modulo 251).
  fs::path made(const std::string& header, std::size_t data, std::optional<std::uint64_t> length = std::nullopt) const {
    const std::uint64_t n = length.value_or(header.size());
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(n >> (8 * i));
    bytes += header;
    for (std::size_t i = 0; i < data; ++i) bytes += static_cast<char>(i % 251);
    std::ofstream(file("made.safetensors"), std::ios::binary) << bytes;
    return file("made.safetensors");
  }

  std::size_t files_left() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Runs `action`, expects an error of this code, and returns its message, which must be one line.
template <class Action>
std::string message_of(Errc code, Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(errc_name(error.code()), std::string(errc_name(code))) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

void expect_refused(const fs::path& path, const std::string& part) {
  const std::string message = message_of(Errc::kCheckpoint, [&] { read_safetensors(path); });
  EXPECT_EQ(message.find(path.string()), 0u) << message;
  EXPECT_NE(message.find(part), std::string::npos) << message << "\nexpected: " << part;
}

TEST_F(SafetensorsTest, WritesTheBytesOfTheFormat) {
  StateDict dict;
  dict.metadata = {{"note", "a \"b\""}, {"format", "pt"}};
  dict.add("w", at::tensor({1.0F, -2.0F}));
  write_safetensors(dict, file("w.safetensors"));
  const std::string json =
      R"({"__metadata__":{"format":"pt","note":"a \"b\""},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  std::string expected = std::string(1, static_cast<char>(120)) + std::string(7, '\0') + json;
  expected.resize(128, ' ');
  expected += std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8);
  EXPECT_EQ(bytes_of(file("w.safetensors")), expected);
  EXPECT_EQ(files_left(), 1u);
}

TEST_F(SafetensorsTest, KeepsEveryDtypeAndOrder) {
  using at::ScalarType;
  StateDict dict;
  const at::Tensor base = at::arange(12, at::kFloat).reshape({3, 4});
  for (const ScalarType type :
       {at::kBool, at::kByte, at::kChar, ScalarType::UInt16, at::kShort, at::kHalf, at::kBFloat16, at::kInt,
        ScalarType::UInt32, at::kFloat, at::kDouble, at::kLong, ScalarType::UInt64, at::kComplexFloat,
        ScalarType::Float8_e5m2, ScalarType::Float8_e4m3fn, ScalarType::Float8_e5m2fnuz, ScalarType::Float8_e4m3fnuz,
        ScalarType::Float8_e8m0fnu})
    dict.add(std::string("t.") + c10::toString(type), base.to(type));
  dict.add("empty", at::empty({0, 5}));
  dict.add("scalar", at::scalar_tensor(2.5));
  dict.add("conjugate", at::complex(base, base + 1).conj());
  dict.add("transposed", base.t());
  write_safetensors(dict, file("all.safetensors"));
  const StateDict back = read_safetensors(file("all.safetensors"));
  ASSERT_EQ(back.size(), dict.size());
  for (std::size_t i = 0; i < dict.size(); ++i) {
    const auto& [name, tensor] = dict.entries()[i];
    EXPECT_EQ(back.entries()[i].first, name);
    const at::Tensor& read = back.entries()[i].second;
    ASSERT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
    ASSERT_EQ(read.sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(read.is_contiguous()) << name;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(read.data_ptr()) % read.element_size(), 0u) << name;
    const at::Tensor flat = tensor.resolve_conj().contiguous();
    EXPECT_TRUE(flat.numel() == 0 || std::memcmp(read.data_ptr(), flat.data_ptr(), flat.nbytes()) == 0) << name;
  }
}

TEST_F(SafetensorsTest, SameDictionarySameBytes) {
  StateDict dict;
  dict.metadata = {{"b", "2"}, {"a", "1"}};
  dict.add("z", at::ones({3}, at::kByte));
  dict.add("a", at::ones({3}, at::kDouble));
  write_safetensors(dict, file("1.safetensors"));
  write_safetensors(read_safetensors(file("1.safetensors")), file("2.safetensors"));
  EXPECT_EQ(bytes_of(file("1.safetensors")), bytes_of(file("2.safetensors")));
  const std::string bytes = bytes_of(file("1.safetensors"));
  EXPECT_EQ((8 + static_cast<unsigned char>(bytes[0])) % 64, 0);
}

TEST_F(SafetensorsTest, SharesTheMappingAndNeverWritesBack) {
  StateDict dict;
  dict.add("a", at::ones({4}));
  dict.add("b", at::zeros({4}));
  write_safetensors(dict, file("m.safetensors"));
  at::Tensor a, b;
  {
    const StateDict read = read_safetensors(file("m.safetensors"));
    a = read.at("a");
    b = read.at("b");
  }
  EXPECT_EQ(static_cast<char*>(b.data_ptr()) - static_cast<char*>(a.data_ptr()), 16);
  a.add_(1);
  EXPECT_EQ(a[3].item<float>(), 2.0F);
  EXPECT_EQ(read_safetensors(file("m.safetensors")).at("a")[3].item<float>(), 1.0F);
  write_safetensors({}, file("m.safetensors"));
  EXPECT_EQ(b[3].item<float>(), 0.0F);
}

TEST_F(SafetensorsTest, ReadsUnalignedAndReorderedTensors) {
  const StateDict read = read_safetensors(made(R"({"late":{"dtype":"F32","shape":[1],"data_offsets":[3,7]},
      "early":{"data_offsets":[0,3],"shape":[3],"dtype":"U8"},"none":{"dtype":"I64","shape":[2,0],"data_offsets":[3,3]}}  )",
                                               7));
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read.entries()[0].first, "late");
  const std::uint32_t bits = read.at("late").view(at::kInt)[0].item<std::int32_t>();
  EXPECT_EQ(bits, 0x06050403u);
  EXPECT_EQ(read.at("early")[2].item<int>(), 2);
  EXPECT_EQ(read.at("none").sizes(), (at::IntArrayRef{2, 0}));
}

TEST_F(SafetensorsTest, NoTensors) {
  EXPECT_EQ(read_safetensors(made("{}", 0)).size(), 0u);
  EXPECT_EQ(read_safetensors(made(R"({"__metadata__":{"a":"b"}})", 0)).metadata.at("a"), "b");
  expect_refused(made("{}", 1), "1 bytes after the last tensor belong to none");
}

TEST_F(SafetensorsTest, RefusesWhatIsNoFile) {
  expect_refused(file("absent.safetensors"), "cannot open: No such file or directory");
  expect_refused(folder_, "is a folder, expected a file");
  expect_refused("/dev/null", "is not a regular file");
  std::ofstream(file("empty")).flush();
  expect_refused(file("empty"), "0 bytes are too few");
  expect_refused(made("", 0), "8 bytes are too few");
  expect_refused(made("{}", 0, 3), "header of 3 bytes does not fit the file's 10 bytes");
  expect_refused(made("{}", 0, 100'000'001), "header length 100000001 is above 100000000");
  expect_refused(made("{}", 0, ~0ULL), "not a safetensors file");
  expect_refused(made(" {}", 0), "does not start with '{'");
  expect_refused(made(std::string("{}\0", 3), 0), "zero byte");
}

TEST_F(SafetensorsTest, RefusesBadJson) {
  expect_refused(made("{,}", 0), "header is not valid JSON");
  expect_refused(made("{\"a", 0), "header is not valid JSON");
  expect_refused(made("{} {}", 0), "header is not valid JSON");
  expect_refused(made("{\"\xff\":1}", 0), "header is not valid JSON");
  expect_refused(made(R"({"a":1})", 0), "tensor 'a': a number is not allowed here");
  expect_refused(made(R"({"a":null})", 0), "null is not allowed here");
  expect_refused(made(R"({"a":[[[[)", 0), "a list is not allowed here");
  expect_refused(made(R"({"a":{"b":{"c":{"d":{)", 0), "tensor 'a': unknown field 'b'");
  expect_refused(made(R"({"a":{"shape":{)", 0), "an object is not allowed here");
  expect_refused(made(R"({"__metadata__":{"k":1}})", 0), "metadata 'k' must be a string, found a number");
  expect_refused(made(R"({"__metadata__":{"k":"1","k":"2"}})", 0), "metadata has 'k' twice");
  expect_refused(made(R"({"__metadata__":{"k":{}}})", 0), "metadata 'k' must be a string, found an object");
  expect_refused(made("{\"a\\n\\u0001b\":7}", 0), "tensor 'a??b'");
}

TEST_F(SafetensorsTest, RefusesBadEntries) {
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  EXPECT_EQ(read_safetensors(made(entry("F32", "[2]", "[0,8]"), 8)).size(), 1u);
  expect_refused(made(entry("F4", "[2]", "[0,1]"), 1), "tensor 'a': dtype 'F4' is not supported");
  expect_refused(made(entry("f32", "[2]", "[0,8]"), 8), "dtype 'f32' is not supported");
  expect_refused(made(entry("F32", "[-2]", "[0,8]"), 8), "a negative number is not allowed here");
  expect_refused(made(entry("F32", "[2.0]", "[0,8]"), 8), "a fraction is not allowed here");
  expect_refused(made(entry("F32", "[2]", "[0,9]"), 8), "[0, 9] are outside the file's 8 bytes of data");
  expect_refused(made(entry("F32", "[2]", "[8,0]"), 8), "[8, 0] are outside");
  expect_refused(made(entry("F32", "[3]", "[0,8]"), 8), "shape and dtype need 12 bytes, data_offsets give 8");
  expect_refused(made(entry("F32", "[2]", "[0,8]"), 9), "1 bytes after the last tensor");
  expect_refused(made(entry("F32", "[2]", "[1,9]"), 9), "data starts at 1, expected 0");
  expect_refused(made(entry("F32", "[2]", "[0]"), 8), "data_offsets must be two numbers");
  expect_refused(made(entry("F32", "[2]", "[0,8,8]"), 8), "data_offsets must be two numbers");
  expect_refused(made(entry("F32", "[9223372036854775808]", "[0,8]"), 8), "dimension 9223372036854775808 is too large");
  expect_refused(made(entry("F32", "[4294967296,4294967296]", "[0,0]"), 0), "shape is too large");
  expect_refused(made(entry("F32", "[0,4294967296,4294967296]", "[0,0]"), 0), "shape is too large");
  std::string dims = "1";
  for (int i = 0; i < 64; ++i) dims += ",1";
  expect_refused(made(entry("F32", "[" + dims + "]", "[0,4]"), 4), "more than 64 dimensions");
  expect_refused(made(R"({"a":{"dtype":"F32","shape":[2]}})", 8), "needs dtype, shape and data_offsets");
  expect_refused(made(R"({"a":{"dtype":"F32","dtype":"F32"}})", 8), "dtype is there twice");
  expect_refused(made(entry("BOOL", "[3]", "[0,3]"), 3), "tensor 'a': a BOOL must be 0 or 1");
}

TEST_F(SafetensorsTest, RefusesGapsOverlapsAndDuplicates) {
  const auto two = [](const std::string& name, const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + first + R"(},")" + name +
           R"(":{"dtype":"U8","shape":[2],"data_offsets":)" + second + "}}";
  };
  EXPECT_EQ(read_safetensors(made(two("b", "[0,2]", "[2,4]"), 4)).size(), 2u);
  EXPECT_EQ(read_safetensors(made(two("b", "[2,4]", "[0,2]"), 4)).at("b")[1].item<int>(), 1);
  expect_refused(made(two("b", "[0,2]", "[1,3]"), 3), "tensor 'b': data starts at 1, expected 2");
  expect_refused(made(two("b", "[0,2]", "[3,5]"), 5), "tensor 'b': data starts at 3, expected 2");
  expect_refused(made(two("b", "[0,2]", "[0,2]"), 2), "data starts at 0, expected 2");
  expect_refused(made(two("a", "[0,2]", "[2,4]"), 4), "header has 'a' twice");
}

TEST_F(SafetensorsTest, EveryTruncationIsRefused) {
  StateDict dict;
  dict.metadata["k"] = "v";
  dict.add("a", at::ones({3}));
  dict.add("b", at::ones({2}, at::kBool));
  write_safetensors(dict, file("whole.safetensors"));
  const std::string whole = bytes_of(file("whole.safetensors"));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    std::ofstream(file("cut.safetensors"), std::ios::binary) << whole.substr(0, n);
    message_of(Errc::kCheckpoint, [&] { read_safetensors(file("cut.safetensors")); });
  }
}

TEST_F(SafetensorsTest, WriterNamesWhatItCannotWrite) {
  const auto refused = [&](const StateDict& dict, const fs::path& path, const std::string& part) {
    const std::string message = message_of(Errc::kOutput, [&] { write_safetensors(dict, path); });
    EXPECT_EQ(message.find(path.string()), 0u) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  StateDict dict, complex, reserved, text;
  dict.add("a", at::ones({1000}));
  complex.add("c", at::ones({2}, at::kComplexDouble));
  reserved.add("__metadata__", at::ones({2}));
  text.metadata["k"] = "\xff";
  refused(complex, file("x"), "safetensors has no dtype for tensor 'c' (ComplexDouble");
  refused(reserved, file("x"), "__metadata__");
  refused(text, file("x"), "UTF-8");
  refused(dict, file("no_such_folder/x"), "No such file or directory");
  refused(dict, folder_, "is not a regular file");
  refused(dict, "/dev/full", "is not a regular file");
  EXPECT_EQ(files_left(), 0u);
}

TEST_F(SafetensorsTest, FullDiskLeavesNothingAndKeepsTheOldFile) {
  StateDict small, large;
  small.add("a", at::ones({1}));
  large.add("a", at::ones({100'000}));
  write_safetensors(small, file("a.safetensors"));
  const std::string before = bytes_of(file("a.safetensors"));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit tight{100'000, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const std::string message = message_of(Errc::kOutput, [&] { write_safetensors(large, file("a.safetensors")); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_NE(message.find("a.safetensors: cannot write: "), std::string::npos) << message;
  EXPECT_EQ(files_left(), 1u);
  EXPECT_EQ(bytes_of(file("a.safetensors")), before);
}

TEST(SafetensorsGolden, LoadsAndRefusesTheRecordedFiles) {
  const fs::path folder = fs::path(RESEDA_SOURCE_DIR).parent_path() / "shared/golden/checkpoints";
  if (!fs::exists(folder)) GTEST_SKIP() << "no recorded checkpoints at " << folder;
  int refused = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    if (entry.path().filename().string().starts_with("bad_")) {
      message_of(Errc::kCheckpoint, [&] { read_safetensors(entry.path()); });
      ++refused;
    } else {
      EXPECT_GT(read_safetensors(entry.path()).size(), 0u);
    }
  }
  EXPECT_GE(refused, 13);
}

}  // namespace
}  // namespace reseda::io
