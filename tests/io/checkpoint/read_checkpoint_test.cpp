// The entrance: what kind of file it is, sharded safetensors, and what is said about files that must be refused.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/content.hpp"
#include "io/checkpoint/safetensors.hpp"
#include "io/checkpoint/shard_index.hpp"
#include "tests/io/checkpoint/torch_builder.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::io {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using tests::expect_error;

class ReadCheckpoint : public testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_.path() / name, std::ios::binary) << bytes;
    return folder_.path() / name;
  }
  void expect_refused(const std::string& reason, const fs::path& file) const {
    expect_error(Errc::kCheckpoint, file.string() + ": ", [&] { read_checkpoint(file); });
    expect_error(Errc::kCheckpoint, reason, [&] { read_checkpoint(file); });
  }
  static StateDict dict(const std::string& name, float value) {
    StateDict out;
    out.add(name, at::full({2}, value));
    return out;
  }

  tests::TemporaryFolder folder_;
};

TEST_F(ReadCheckpoint, SaysWhatFilesAreThatItCannotRead) {
  expect_refused("is empty, expected a torch checkpoint (.pt, .pth, .ckpt) or a safetensors file", write("a.pt", ""));
  expect_refused("is a git LFS pointer, not the file itself: fetch it with 'git lfs pull'",
                 write("a.pt", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"));
  expect_refused("is a web page (HTML), not a checkpoint: the download went wrong",
                 write("a.pt", "\n<!DOCTYPE HTML><html><body>404</body></html>"));
  expect_refused("is a web page (HTML)", write("a.safetensors.pt", "<html>Sign in</html>"));
  expect_refused("is gzip-compressed: decompress it first", write("a.pt", "\x1f\x8b\x08\x00"s));
  expect_refused("is a tar archive (or a torch file older than 0.1.10)",
                 write("a.pt", std::string(257, 'a') + "ustar\0"s));
  expect_refused("is an HDF5 file", write("a.pt", "\x89HDF\r\n\x1a\n"));
  expect_refused("is plain text", write("a.pt", "Not a checkpoint\n"));
  expect_refused("is not a checkpoint that is known here", write("a.pt", "\x01\x02\x03\x04"));
  expect_refused("is JSON without a weight_map", write("a.pt", "{\"model_type\": \"unet\"}"));
  expect_refused("bytes are too few for a safetensors file", write("a.safetensors", "abc"));
  expect_refused("cannot open", folder_.path() / "none.pt");
  expect_refused("is a folder, expected a file", folder_.path());
  expect_refused("zip archive without its directory at the end (a truncated download?)",
                 write("a.pt", "PK\x03\x04" + std::string(100, 'x')));
}

TEST_F(ReadCheckpoint, GoesByTheContentNotByTheName) {
  write_safetensors(dict("w", 3), folder_.path() / "weights.ckpt");
  const Checkpoint safetensors = read_checkpoint(folder_.path() / "weights.ckpt");
  EXPECT_EQ(safetensors.format, "safetensors");
  EXPECT_EQ(safetensors.root.find("w")->tensor()[0].item<float>(), 3);
  EXPECT_GT(safetensors.file_bytes, 8u);
  const tests::TorchZip zip = {.pickle = tests::Pickle().tensor("FloatStorage", "0", 1, 0, {1}, {1}).end(),
                               .storages = {{"0", tests::bytes_of<float>({5})}}};
  EXPECT_EQ(read_checkpoint(write("weights.safetensors", zip.bytes())).root.tensor().item<float>(), 5);
}

TEST_F(ReadCheckpoint, ReadsASafetensorsHeaderThatLooksLikeAPickle) {
  // A header of 0x0280 bytes starts with 80 02, as pickles do.
  std::string header = "{}";
  header.resize(0x0280, ' ');
  std::string bytes;
  tests::put(bytes, header.size(), 8);
  EXPECT_EQ(read_checkpoint(write("a.safetensors", bytes + header)).format, "safetensors");
}

TEST_F(ReadCheckpoint, JoinsShards) {
  write_safetensors(dict("a", 1), folder_.path() / "m-1.safetensors");
  write_safetensors(dict("b", 2), folder_.path() / "m-2.safetensors");
  const auto index = [&](const std::string& map) {
    return write("m.safetensors.index.json", "{\"metadata\": {\"total_size\": 16}, \"weight_map\": " + map + "}");
  };
  const fs::path file = index(R"({"b": "m-2.safetensors", "a": "m-1.safetensors"})");
  const Checkpoint both = read_checkpoint(file);
  EXPECT_EQ(both.format, "safetensors shards");
  ASSERT_EQ(both.root.entries().size(), 2u);
  EXPECT_EQ(both.root.entries()[0].first.text(), "b");
  EXPECT_EQ(both.root.find("a")->tensor()[1].item<float>(), 1);
  EXPECT_EQ(both.metadata.at("total_size"), "16");

  index(R"({"a": "m-2.safetensors", "b": "m-2.safetensors"})");
  expect_error(Errc::kCheckpoint, "m-2.safetensors: lacks tensor 'a', which the index m.safetensors.index.json expects",
               [&] { read_checkpoint(file); });
  index(R"({"a": "m-1.safetensors", "b": "m-1.safetensors"})");
  expect_error(Errc::kCheckpoint, "m-1.safetensors: lacks tensor 'b'", [&] { read_checkpoint(file); });
  index(R"({"a": "m-3.safetensors"})");
  expect_error(Errc::kCheckpoint, "m-3.safetensors: cannot open", [&] { read_checkpoint(file); });
  StateDict two = dict("a", 1);
  two.add("c", at::ones({1}));
  write_safetensors(two, folder_.path() / "m-3.safetensors");
  index(R"({"a": "m-3.safetensors"})");
  expect_error(Errc::kCheckpoint, "m-3.safetensors: holds tensor 'c', which the index", [&] { read_checkpoint(file); });
}

TEST_F(ReadCheckpoint, RefusesShardsOutsideTheFolder) {
  for (const std::string shard : {"../m-1.safetensors", "/etc/passwd", "a/b", "..", ".", "", "a\\\\b", "a\\u0000b"})
    expect_refused("must be the name of a file in the index's folder",
                   write("i.json", R"({"weight_map": {"w": ")" + shard + "\"}}"));
}

TEST_F(ReadCheckpoint, RefusesIndicesThatAreNone) {
  const auto refused = [&](const std::string& reason, const std::string& json) {
    expect_refused(reason, write("i.json", json));
  };
  refused("weight_map must be an object", R"({"weight_map": ["a"]})");
  refused("weight_map must give each tensor the name of a file", R"({"weight_map": "a"})");
  refused("weight_map must give each tensor the name of a file", R"({"weight_map": {"w": 3}})");
  refused("weight_map must give each tensor the name of a file", R"({"weight_map": {"w": {"x": "y"}}})");
  refused("weight_map has 'w' twice", R"({"weight_map": {"w": "a", "w": "b"}})");
  refused("weight_map is there twice", R"({"weight_map": {}, "weight_map": {}})");
  refused("is not valid JSON", R"({"weight_map": {"w": "a")");
  refused("is not valid JSON", R"({"weight_map": {}} trailing)");
  std::string deep = R"({"other": )";
  for (int i = 0; i < 100'000; ++i) deep += "[";
  refused("nested deeper than 64", deep);
}

struct Reason {
  const char* file;
  const char* reason;
};

/// One line per refused file of the golden set: the words that tell a person why.
constexpr Reason kReasons[] = {
    {"evil_reduce.pt", "names '"},
    {"evil_reduce_legacy.pt", "names '"},
    {"evil_plain_pickle.pt", "names '"},
    {"evil_proto0_inst.pt", "INST would make '"},
    {"evil_obj.pt", "names '"},
    {"evil_stack_global.pt", "names '"},
    {"evil_eval.pt", "names 'builtins.eval'"},
    {"evil_getattr.pt", "names 'builtins.getattr'"},
    {"evil_rebuild_fake.pt", "names 'os.system'"},
    {"evil_build.pt", "names 'subprocess.Popen'"},
    {"evil_ext.pt", "EXT"},
    {"evil_newobj.pt", "names 'subprocess.Popen'"},
    {"evil_module_attr.pt", "empty stack"},
    {"bad_legacy_header.pt", "truncated"},
    {"bad_storage_short.pt", "should have 64 bytes, the archive holds 32"},
    {"bad_storage_numel_lie.pt", "should have 8 bytes, the archive holds 32"},
    {"bad_view_oob.pt", "of a storage that has 8"},
    {"bad_stride_oob.pt", "of a storage that has 8"},
    {"bad_negative_size.pt", "size is negative"},
    {"bad_negative_stride.pt", "stride is negative"},
    {"bad_negative_offset.pt", "offset is negative"},
    {"bad_size_overflow.pt", "too large"},
    {"bad_numel_overflow.pt", "storage: its size"},
    {"bad_rank_mismatch.pt", "strides"},
    {"bad_missing_storage.pt", "is not in the archive"},
    {"bad_key_traversal.pt", "its key must be letters and digits, got '../"},
    {"bad_storage_type.pt", "names 'torch."},
    {"bad_no_pkl.pt", "without a data.pkl"},
    {"bad_two_roots.pt", "storage 'a/data/0' is not in the archive"},
    {"bad_pickle_truncated.pt", "no end of line within 9 bytes (truncated?)"},
    {"bad_pickle_underflow.pt", "empty stack"},
    {"bad_memo.pt", "memo slot"},
    {"bad_opcode.pt", "unknown pickle instruction"},
    {"bad_unicode_len.pt", "(truncated?)"},
    {"bad_long4.pt", "(truncated?)"},
    {"bad_zip64_lie.pt", "lies outside the file"},
    {"bad_empty.pt", "is empty"},
    {"bad_text.pt", "web page"},
    {"bad_lfs_pointer.pt", "git LFS pointer"},
    {"bad_expand_huge.pt", "repeats a storage"},
    {"bad_protocol.pt", "pickle protocol 99"},
    {"sparse.pt", "names 'torch._utils._rebuild_sparse_tensor'"},
};

TEST(GoldenRefusals, NameTheReason) {
  const fs::path folder = fs::path(RESEDA_SOURCE_DIR) / "tests/golden/checkpoints";
  for (const auto& [file, reason] : kReasons) {
    SCOPED_TRACE(file);
    expect_error(Errc::kCheckpoint, reason, [&] { read_checkpoint(folder / file); });
  }
}

}  // namespace
}  // namespace reseda::io
