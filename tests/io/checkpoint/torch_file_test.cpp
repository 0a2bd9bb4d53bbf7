#include "io/checkpoint/torch_file.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "io/checkpoint/content.hpp"
#include "modules/core/noise.hpp"
#include "tests/io/checkpoint/torch_builder.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::io {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using tests::bytes_of;
using tests::expect_error;
using tests::Pickle;
using tests::TorchLegacy;
using tests::TorchZip;

/// Keeps the bytes alive at an address that is a multiple of 64.
struct Bytes {
  explicit Bytes(const std::string& text)
      : memory(new std::byte[text.size() + 64]), begin(memory.get()), size(text.size()) {
    while (reinterpret_cast<std::uintptr_t>(begin) % 64 != 0) ++begin;
    std::memcpy(begin, text.data(), size);
  }
  std::span<std::byte> span() const { return {begin, size}; }
  bool holds(const at::Tensor& tensor) const {
    const auto* data = static_cast<const std::byte*>(tensor.const_data_ptr());
    return data >= begin && data < begin + size;
  }
  std::shared_ptr<std::byte[]> memory;
  std::byte* begin;
  std::size_t size;
};

Checkpoint read_zip(const Bytes& bytes, bool opaque = false) {
  return read_torch_zip(bytes.memory, bytes.span(), "a.pt", {.opaque = opaque});
}
Checkpoint read_zip(const TorchZip& file, bool opaque = false) { return read_zip(Bytes(file.bytes()), opaque); }

void expect_refused(const std::string& reason, const TorchZip& file) {
  expect_error(Errc::kCheckpoint, reason, [&] {
    const Checkpoint checkpoint = read_zip(file);
    for (const auto& [path, value] : flatten(checkpoint.root))
      if (value.kind() == ValueKind::kTensor) value.tensor();
  });
}

const std::string kSix = bytes_of<float>({0, 1, 2, 3, 4, 5});

TorchZip one(const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides, std::int64_t offset = 0,
             const std::string& metadata = "") {
  return {.pickle = Pickle().tensor("FloatStorage", "0", 6, offset, sizes, strides, metadata).end(),
          .storages = {{"0", kSix}}};
}

at::Tensor tensor_of(const TorchZip& file) { return read_zip(file).root.tensor().clone(); }

TEST(TorchZip, SharesAlignedStoragesAndCopiesOthers) {
  TorchZip file = one({2, 3}, {3, 1});
  const Bytes aligned(file.bytes());
  const Checkpoint shared = read_zip(aligned);
  EXPECT_EQ(shared.format, "torch zip");
  EXPECT_TRUE(aligned.holds(shared.root.tensor()));
  EXPECT_TRUE(at::equal(shared.root.tensor(), at::arange(6, at::kFloat).view({2, 3})));
  bool copied = false;
  for (std::size_t comment = 0; comment < 4; ++comment) {  // the entry before decides where the storage lies
    file.align = 1;
    file.byteorder = "";
    file.pickle = Pickle().text(std::string(comment, 'x')).raw("0").raw(one({2, 3}, {3, 1}).pickle.substr(2)).end();
    file.pickle.pop_back();
    const Bytes bytes(file.bytes());
    const Checkpoint checkpoint = read_zip(bytes);
    EXPECT_TRUE(at::equal(checkpoint.root.tensor(), at::arange(6, at::kFloat).view({2, 3})));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(checkpoint.root.tensor().const_data_ptr()) % 4, 0u);
    copied = copied || !bytes.holds(checkpoint.root.tensor());
  }
  EXPECT_TRUE(copied);
}

TEST(TorchZip, KeepsViewsOfOneStorage) {
  const std::string a = Pickle().tensor("FloatStorage", "0", 6, 0, {6}, {1}).end();
  const std::string b = Pickle().tensor("FloatStorage", "0", 6, 1, {2, 2}, {1, 2}).end();
  const auto body = [](const std::string& pickle) { return pickle.substr(2, pickle.size() - 3); };
  const TorchZip file = {.pickle = Pickle().raw(body(a)).raw(body(b)).raw("\x86").end(), .storages = {{"0", kSix}}};
  const Checkpoint checkpoint = read_zip(file);
  const auto items = checkpoint.root.items();
  const at::Tensor first = items[0].tensor(), second = items[1].tensor();
  EXPECT_TRUE(at::equal(second, at::tensor({1.F, 3.F, 2.F, 4.F}).view({2, 2})));
  EXPECT_EQ(static_cast<const float*>(first.const_data_ptr()) + 1, second.const_data_ptr());
  EXPECT_EQ(second.strides(), (at::IntArrayRef{1, 2}));
  EXPECT_EQ(items[1].tensor().const_data_ptr(), second.const_data_ptr()) << "made once";
}

TEST(TorchZip, ReadsScalarsEmptyAndRepeatedTensors) {
  EXPECT_EQ(tensor_of(one({}, {}, 4)).item<float>(), 4);
  EXPECT_EQ(tensor_of(one({3, 0, 2}, {2, 2, 1})).sizes(), (at::IntArrayRef{3, 0, 2}));
  EXPECT_EQ(tensor_of(one({0}, {1}, 6)).numel(), 0);
  EXPECT_TRUE(at::equal(tensor_of(one({3, 2}, {0, 1}, 4)), at::tensor({4.F, 5.F, 4.F, 5.F, 4.F, 5.F}).view({3, 2})));
}

TEST(TorchZip, ResolvesConjugatesAndNegatives) {
  const std::string conj = Pickle().text("conj").raw("\x88s").end().substr(2),
                    neg = Pickle().text("neg").raw("\x88s").end().substr(2);
  const std::string metadata = "}" + conj.substr(0, conj.size() - 1) + neg.substr(0, neg.size() - 1);
  const TorchZip file = {.pickle = Pickle().tensor("ComplexFloatStorage", "0", 3, 0, {3}, {1}, metadata).end(),
                         .storages = {{"0", kSix}}};
  const at::Tensor tensor = tensor_of(file);
  EXPECT_FALSE(tensor.is_conj());
  EXPECT_EQ(tensor[1].item<c10::complex<float>>(), c10::complex<float>(-2, 3));
  expect_refused("only complex numbers can be conjugate", one({6}, {1}, 0, "}" + conj.substr(0, conj.size() - 1)));
  expect_refused("metadata may only hold", one({6}, {1}, 0, "}NNs"));
}

TEST(TorchZip, TurnsBigEndianBytesRound) {
  TorchZip file = one({6}, {1});
  for (std::size_t i = 0; i < kSix.size(); ++i) file.storages["0"][i] = kSix[i ^ 3];
  file.byteorder = "big";
  EXPECT_TRUE(at::equal(tensor_of(file), at::arange(6, at::kFloat)));
  file.byteorder = "middle";
  expect_refused("a.pt: byteorder must be 'little' or 'big', got 'middle'", file);
}

TEST(TorchZip, ReadsDeflatedFiles) {
  TorchZip file = one({6}, {1});
  file.deflate = true;
  EXPECT_TRUE(at::equal(tensor_of(file), at::arange(6, at::kFloat)));
}

TEST(TorchZip, ReadsNoStorageBeforeItsTensorIsAskedFor) {
  const std::string a = Pickle().tensor("FloatStorage", "0", 6, 0, {6}, {1}).end();
  const std::string b = Pickle().tensor("FloatStorage", "1", 6, 0, {6}, {1}).end();
  const TorchZip file = {.pickle = a.substr(0, a.size() - 1) + b.substr(2, b.size() - 3) + "\x86.",
                         .storages = {{"0", kSix}, {"1", kSix}},
                         .deflate = true,
                         .damaged = "0"};
  const auto items = read_zip(file).root.items();
  EXPECT_TRUE(at::equal(items[1].tensor(), at::arange(6, at::kFloat)));
  for (int again = 0; again < 2; ++again)
    expect_error(Errc::kCheckpoint, "a.pt: zip entry 'archive/data/0': checksum does not match",
                 [&] { items[0].tensor(); });
}

TEST(TorchZip, ReadsUntypedStoragesWithTheirDtype) {
  const auto untyped = [](const std::string& dtype, std::int64_t offset, const std::vector<std::int64_t>& sizes) {
    Pickle pickle;
    pickle.global("torch._utils", "_rebuild_tensor_v3").mark().mark().text("storage");
    pickle.global("torch.storage", "UntypedStorage").text("0").text("cpu").integer(24).raw("tQ").integer(offset);
    pickle.integers(sizes).integers({1}).raw("\x89}").global("torch", dtype).raw("tR");
    return TorchZip{.pickle = pickle.end(), .storages = {{"0", kSix}}};
  };
  EXPECT_TRUE(at::equal(tensor_of(untyped("float32", 2, {4})), at::arange(2, 6, at::kFloat)));
  EXPECT_EQ(tensor_of(untyped("uint16", 0, {12})).scalar_type(), at::kUInt16);
  expect_refused("needs element 12 of a storage that has 12", untyped("uint16", 1, {12}));
  expect_refused("'torch.complex31'", untyped("complex31", 0, {1}));
}

TEST(TorchZip, PassesOverParametersAndAttributes) {
  const std::string inner = one({6}, {1}).pickle;
  const auto wrapped = [&](const std::string& name) {
    return TorchZip{
        .pickle =
            Pickle().global("torch._utils", name).raw(inner.substr(2, inner.size() - 3)).raw("\x88}\x87R}b").end(),
        .storages = {{"0", kSix}}};
  };
  EXPECT_EQ(tensor_of(wrapped("_rebuild_parameter")).numel(), 6);
  const TorchZip wrong = {.pickle = Pickle().global("torch._utils", "_rebuild_parameter").raw("NN}\x87R").end(),
                          .storages = {}};
  expect_refused("needs a tensor, got None", wrong);
}

TEST(TorchZip, GivesNoTensorOutOfAnOpaqueValue) {
  const std::string inner = one({6}, {1}).pickle;
  const std::string tensor = inner.substr(2, inner.size() - 3);
  const TorchZip file = {
      .pickle = Pickle().global("some", "Module").raw(")\x81}").text("weight").raw(tensor).raw("sb").end(),
      .storages = {{"0", kSix}}};
  expect_refused("'some.Module'", file);
  const Checkpoint checkpoint = read_zip(file, true);
  EXPECT_EQ(checkpoint.refused, std::vector<std::string>{"some.Module"});
  const Value weight = *checkpoint.root.items()[1].find("weight");
  EXPECT_EQ(weight.kind(), ValueKind::kOpaque);
  EXPECT_EQ(weight.text(), "torch.Tensor");
  expect_error(Errc::kCheckpoint, "expected a tensor", [&] { weight.tensor(); });
  const auto leaves = flatten(checkpoint.root);
  ASSERT_EQ(leaves.size(), 2u);
  EXPECT_EQ(leaves[1].first, ".weight");
  EXPECT_EQ(leaves[1].second.kind(), ValueKind::kOpaque);
}

TEST(TorchZip, RefusesViewsThatLeaveTheirStorage) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  expect_refused("a.pt: data.pkl: byte ", one({7}, {1}));
  expect_refused("tensor needs element 6 of a storage that has 6", one({6}, {1}, 1));
  expect_refused("tensor needs element 10 of a storage that has 6", one({6}, {2}));
  expect_refused("size is negative: -1", one({-1}, {1}));
  expect_refused("stride is negative: -1", one({2}, {-1}, 5));
  expect_refused("offset is negative: -1", one({2}, {1}, -1));
  expect_refused("1 sizes and 2 strides", one({2}, {1, 1}));
  expect_refused("sizes or strides are too large", one({kHuge, 4}, {0, 0}));
  expect_refused("sizes or strides are too large", one({4}, {kHuge}));
  expect_refused("sizes or strides are too large", one({kHuge, kHuge, 0}, {0, 0, 1}));
  expect_refused("repeats a storage of 24", one({std::int64_t{1} << 40}, {0}));
  expect_refused("more than 64 dimensions", one(std::vector<std::int64_t>(65, 1), std::vector<std::int64_t>(65, 1)));
}

TEST(TorchZip, RefusesStoragesThatAreNotAsStated) {
  TorchZip file = one({6}, {1});
  file.storages["0"].pop_back();
  expect_refused("storage 'archive/data/0' should have 24 bytes, the archive holds 23", file);
  file = one({6}, {1});
  file.storages = {{"1", kSix}};
  expect_refused("storage 'archive/data/0' is not in the archive", file);
  const auto named = [](const std::string& type, const std::string& key, std::int64_t elements) {
    return TorchZip{.pickle = Pickle().tensor(type, key, elements, 0, {1}, {1}).end(), .storages = {{"0", kSix}}};
  };
  expect_refused("its key must be letters and digits, got '../0'", named("FloatStorage", "../0", 6));
  expect_refused("its key must be letters and digits, got ''", named("FloatStorage", "", 6));
  expect_refused("its size is too large", named("FloatStorage", "0", std::int64_t{1} << 62));
  expect_refused("its size must be a 64-bit integer >= 0", named("FloatStorage", "0", -6));
  expect_refused("'torch.SparseStorage'", named("SparseStorage", "0", 6));
  expect_refused("its class must be a storage class of torch, got 'torch.float32'", named("float32", "0", 6));
  TorchZip twice = named("FloatStorage", "0", 6);
  const std::string other = Pickle().tensor("IntStorage", "0", 6, 0, {1}, {1}).end();
  twice.pickle.insert(twice.pickle.size() - 1, "0" + other.substr(2, other.size() - 3));
  expect_refused("storage '0' is named twice with different types or sizes", twice);
  TorchZip boolean = {.pickle = Pickle().tensor("BoolStorage", "0", 2, 0, {2}, {1}).end(),
                      .storages = {{"0", "\x01\x02"}}};
  expect_refused("a bool tensor holds bytes other than 0 and 1", boolean);
  TorchZip module = {.pickle = Pickle().mark().text("module").raw("NNNtQ").end(), .storages = {}};
  expect_refused("a whole pickled module, expected a state dict", module);
}

TEST(TorchZip, SaysWhatOtherArchivesAre) {
  const auto refused = [](const std::string& reason, const std::vector<std::string>& names) {
    tests::ZipBuilder zip;
    for (const std::string& name : names) zip.add(name, "N.");
    const Bytes bytes(zip.bytes());
    expect_error(Errc::kCheckpoint, reason, [&] { read_zip(bytes); });
  };
  refused("a.pt: is a TorchScript archive (a program)", {"m/data.pkl", "m/constants.pkl"});
  refused("a.pt: is a NumPy .npz archive, expected a torch checkpoint", {"weights.npy"});
  refused("has two roots, 'a' and 'b'", {"a/data.pkl", "b/data.pkl"});
  refused("without a data.pkl inside a folder", {"data.pkl"});
  refused("without a data.pkl inside a folder", {"a/b/data.pkl"});
  refused("is an empty zip archive", {});
  refused("holds checkpoint files: unpack it first", {"run/last.ckpt"});
}

TEST(TorchLegacy, ReadsStoragesAndStretches) {
  const std::string view = Pickle().text("v").integer(2).integer(3).raw("\x87").end();
  Pickle stretch;
  stretch.global("torch._utils", "_rebuild_tensor_v2").mark().mark().text("storage").global("torch", "FloatStorage");
  stretch.text("7").text("cuda:0").integer(6).raw(view.substr(2, view.size() - 3)).raw("tQ");
  stretch.integer(1).integers({2}).integers({1}).raw("\x89}tR");
  std::string storages;
  tests::put(storages, 6, 8);
  const TorchLegacy file = {.pickle = stretch.end(), .keys = {"7"}, .storages = storages + kSix};
  const Bytes bytes(file.bytes());
  const Checkpoint checkpoint = read_torch_legacy(bytes.memory, bytes.span(), "a.pt");
  EXPECT_EQ(checkpoint.format, "torch legacy");
  EXPECT_TRUE(at::equal(checkpoint.root.tensor(), at::tensor({3.F, 4.F})));
}

TorchLegacy legacy() {
  std::string storages;
  tests::put(storages, 6, 8);
  return {.pickle = one({6}, {1}).pickle, .keys = {"0"}, .storages = storages + kSix};
}

void expect_legacy_refused(const std::string& reason, const TorchLegacy& file) {
  const Bytes bytes(file.bytes());
  expect_error(Errc::kCheckpoint, reason, [&] { read_torch_legacy(bytes.memory, bytes.span(), "a.pt"); });
}

TEST(TorchLegacy, RefusesWhatDoesNotFitTogether) {
  const Bytes right(legacy().bytes());
  EXPECT_TRUE(
      at::equal(read_torch_legacy(right.memory, right.span(), "a.pt").root.tensor(), at::arange(6, at::kFloat)));
  TorchLegacy file = legacy();
  file.magic = "\x80\x02K\x01.";
  expect_legacy_refused("a.pt: is a bare pickle, not a file of torch.save", file);
  file = legacy();
  file.little = "\x89";
  expect_legacy_refused("big-endian machine", file);
  file = legacy();
  file.keys = {"0", "0"};
  expect_legacy_refused("storage key '0' is there twice", file);
  file.keys = {"1"};
  expect_legacy_refused("storage key '1' is not used by the object", file);
  file.keys = {};
  expect_legacy_refused("uses a storage that is not in the file", file);
  file = legacy();
  file.storages[0] = 5;
  expect_legacy_refused("storage '0' should have 6 elements, the file says 5", file);
  file = legacy();
  file.storages += "x";
  expect_legacy_refused("1 bytes after the last storage", file);
  file.storages.resize(file.storages.size() - 2);
  expect_legacy_refused("a.pt: storages: byte 8: needs 24 bytes more, there are 23 (truncated?)", file);
}

/// Every tensor's bytes, so that all of them are touched.
void touch(const Checkpoint& checkpoint) {
  for (const auto& [path, value] : flatten(checkpoint.root))
    if (value.kind() == ValueKind::kTensor) value.tensor().contiguous();
}

void read_any(const std::string& text, bool opaque) {
  const Bytes bytes(text);
  const Content content = content_of(bytes.span());
  if (content == Content::kZip) touch(read_zip(bytes, opaque));
  if (content == Content::kPickle) touch(read_torch_legacy(bytes.memory, bytes.span(), "a.pt", {.opaque = opaque}));
}

/// All small torch files of the golden set, right and wrong.
std::map<std::string, std::string> fixtures() {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::directory_iterator(fs::path(RESEDA_SOURCE_DIR) / "tests/golden/checkpoints")) {
    const std::string extension = entry.path().extension();
    if (extension != ".pt" && extension != ".pth" && extension != ".ckpt") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    out[entry.path().filename()] = {std::istreambuf_iterator<char>(in), {}};
  }
  return out;
}

TEST(TorchFiles, EveryTruncationIsRefused) {
  const auto files = fixtures();
  ASSERT_GT(files.size(), 30u);
  for (const auto& [name, whole] : files) {
    if (name.starts_with("bad_") || name.starts_with("evil_")) continue;
    SCOPED_TRACE(name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::string cut = whole.substr(0, size);
      const Bytes bytes(cut);
      if (content_of(bytes.span()) == Content::kOther) continue;
      expect_error(Errc::kCheckpoint, "a.pt: ", [&] {
        read_any(cut, false);
        FAIL() << "cut at " << size;
      });
    }
  }
}

TEST(TorchFiles, FlippedBitsNeverCrash) {
  for (const auto& [name, whole] : fixtures()) {
    if (whole.empty()) continue;
    SCOPED_TRACE(name);
    Chooser chooser(0, name, "flips", 0);
    for (int i = 0; i < 300; ++i) {
      std::string bytes = whole;
      for (std::int64_t flips = 1 + chooser.below(4); flips > 0; --flips)
        bytes[static_cast<std::size_t>(chooser.below(static_cast<std::int64_t>(bytes.size())))] ^=
            static_cast<char>(1 << chooser.below(8));
      try {
        read_any(bytes, i % 2 == 0);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Errc::kCheckpoint) << error.what();
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace reseda::io
