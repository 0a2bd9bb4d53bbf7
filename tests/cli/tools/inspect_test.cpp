// reseda tools inspect on every committed checkpoint: what it lists, and how it refuses.
#include "tests/cli/tools/tools_command.hpp"
#include "tests/cli/tools/torch_file.hpp"

namespace reseda::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

// tests/pipelines/tools reads every committed file; here are some of each kind, as a user would.
TEST(InspectCli, ReadsFilesOfEveryFormat) {
  for (const auto& [name, format] : {std::pair("containers.pt", "torch zip"),
                                     {"views_legacy.pt", "torch legacy"},
                                     {"good.safetensors", "safetensors"}}) {
    const Outcome got = tools({"inspect", checkpoint(name), "--json", "--hash"});
    EXPECT_EQ(got.code, 0) << got.err;
    const ConfigNode listed = json_of(got);
    EXPECT_EQ(value_at(listed, "format"), format);
    EXPECT_EQ(value_at(listed, "file_bytes"), std::to_string(std::filesystem::file_size(checkpoint(name))));
    for (const ConfigNode& tensor : listed.find("tensors")->items())
      EXPECT_EQ(value_at(tensor, "sha256").size(), 64U) << value_at(tensor, "path");
  }
}

TEST(InspectCli, RefusesBadFilesWithOneLine) {
  TemporaryFolder folder;
  for (const char* name : {"bad_empty.pt", "bad_lfs_pointer.pt", "bad_zip64_lie.pt", "bad_legacy_header.pt",
                           "bad_view_oob.pt", "bad_overlap.safetensors", "evil_plain_pickle.pt", "evil_getattr.pt"}) {
    SCOPED_TRACE(name);
    expect_refusal(run({"reseda-tools", "inspect", checkpoint(name)}, {.folder = folder.path()}), 4, name);
  }
  EXPECT_TRUE(tree_of(folder.path()).empty()) << "a file that ran something";
}

TEST(InspectCli, PageIsForPeople) {
  const Outcome got = tools({"inspect", checkpoint("lightning_namespace.ckpt")});
  EXPECT_EQ(got.code, 0);
  EXPECT_EQ(got.err, "");
  for (const char* text :
       {"format   torch zip", "size     2.1 KB (2149 bytes)", "tensors  2 (float32), 8 values, 32 B in 2 storages",
        "epoch                      3", "dnn.w                    float32  [2, 3]                 24 B",
        "hyper_parameters           opaque argparse.Namespace of 6  see below", "  backbone: ncsnpp\n",
        "  ch_mult: [1, 2, 2]\n", "  nested.a: 1\n", "  allowed  argparse.Namespace\n",
        "taken by default: state_dict, 'dnn.' taken off: 2 tensors", "reseda speech enhance --checkpoint "})
    EXPECT_THAT(got.out, HasSubstr(text));
}

TEST(InspectCli, CountsSharedStoragesOnce) {
  const ConfigNode listed = json_of(tools({"inspect", checkpoint("score_sde_checkpoint.pth"), "--json"}));
  const ConfigNode model = item_of(*listed.find("containers"), "path", "model");
  EXPECT_EQ(value_at(model, "tensors"), "3");
  EXPECT_EQ(value_at(model, "values"), "22");
  EXPECT_EQ(value_at(model, "bytes"), "48") << "w and w_tied are one storage of 40 bytes";
  EXPECT_EQ(value_at(item_of(*listed.find("tensors"), "path", "model/module.w_tied"), "shares"), "model/module.w");
  EXPECT_EQ(value_at(item_of(*listed.find("tensors"), "path", "model/module.b"), "shares"), "absent");
  // 4 + 12 of the optimiser, 48 of the model, 12 + 16 of the averages.
  EXPECT_EQ(value_at(listed, "bytes"), "92");
  EXPECT_EQ(value_at(listed, "storages"), "6");
}

TEST(InspectCli, ListsRefusedGlobalsThenFails) {
  const Outcome got = tools({"inspect", checkpoint("evil_reduce.pt")});
  expect_refusal(got, 4,
                 "evil_reduce.pt: names 1 global outside the allow-list: posix.system; nothing was called; --opaque "
                 "lists what they hold as opaque values");
  EXPECT_THAT(got.out, HasSubstr("  w               float32  [2]  8 B\n"));
  EXPECT_THAT(got.out, HasSubstr("  x               opaque posix.system of 1\n"));
  EXPECT_THAT(got.out, HasSubstr("  refused  posix.system\n"));
  const Outcome opaque = tools({"inspect", checkpoint("evil_reduce.pt"), "--opaque", "--json"});
  EXPECT_EQ(opaque.code, 0) << opaque.err;
  EXPECT_EQ(value_at(json_of(opaque), "refused"), "[\"posix.system\"]");
}

TEST(InspectCli, ListsTheRestOfADamagedFile) {
  TorchFile file;
  const std::string good = file.tensor({1, 2}), bad = file.tensor("BoolStorage", "\x01\x07", 2);
  TemporaryFolder folder;
  const std::string path = folder.write("m.pt", file.bytes(TorchFile::dict({{"good", good}, {"bad", bad}}))).string();
  for (const char* format : {"--hash", "--json"}) {
    const Outcome got = tools({"inspect", path, format});
    expect_refusal(got, 4, "m.pt: a bool tensor holds bytes other than 0 and 1");
    EXPECT_THAT(got.out, HasSubstr("good"));
    EXPECT_THAT(got.out, HasSubstr("damaged"));
  }
}

TEST(InspectCli, ContainersThatRepeatAreListedOnce) {
  // Thirty lists, each of ten times the one before: 10^30 values for one who walks them all.
  const auto slot = [](int i) { return std::string(1, static_cast<char>(i)); };
  std::string root = "](K\x01K\x02]eq" + slot(0);
  for (int i = 1; i < 30; ++i) {
    root += "0](";
    for (int k = 0; k < 10; ++k) root += "h" + slot(i - 1);
    root += "eq" + slot(i);
  }
  TemporaryFolder folder;
  const std::string path = folder.write("laughs.pt", TorchFile().bytes(root)).string();
  for (const char* format : {"--all", "--json"}) {
    const Outcome got = tools({"inspect", path, format});
    EXPECT_EQ(got.code, 0) << got.err;
    EXPECT_LT(got.out.size(), 100'000U);
  }
  EXPECT_THAT(tools({"inspect", path}).out, HasSubstr("the same as [0]\n"));
}

TEST(InspectCli, KnowsPublishedFilesByName) {
  TorchFile file;
  const std::string weights = TorchFile::dict({{"dnn.w", file.tensor({1})}});
  TemporaryFolder folder;
  const std::string path =
      folder.write("train_vb_29nqe0uh_epoch=115.ckpt", file.bytes(TorchFile::dict({{"state_dict", weights}}))).string();
  EXPECT_THAT(tools({"inspect", path}).out,
              HasSubstr("  named as the published checkpoint of --config speech/sgmse-vb-dmd\n"
                        "  to use them: reseda speech enhance --checkpoint " +
                        path + " --config speech/sgmse-vb-dmd RECORDING\n"));
}

TEST(InspectCli, FoldsLongListsUnlessAsked) {
  const std::string file = checkpoint("containers.pt");
  const Outcome folded = tools({"inspect", file, "--limit", "3"});
  EXPECT_THAT(folded.out, HasSubstr("  ... 26 more: 2 tensors, 12 B (--all lists them)\n"));
  EXPECT_THAT(folded.out, Not(HasSubstr("tensor_in_list")));
  const Outcome all = tools({"inspect", file, "--all"});
  EXPECT_THAT(all.out, HasSubstr("tensor_in_list"));
  EXPECT_THAT(all.out, HasSubstr("  big             1180591620717411303424\n"));
  EXPECT_THAT(all.out, Not(HasSubstr("more")));
}

TEST(InspectCli, ShowsSafetensorsMetadata) {
  const Outcome got = tools({"inspect", checkpoint("good.safetensors")});
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(got.out, HasSubstr("format   safetensors\n"));
  EXPECT_THAT(got.out, HasSubstr("\nMetadata\n"));
  EXPECT_THAT(got.out, Not(HasSubstr("Globals")));
}

TEST(InspectCli, EscapeSequencesNeverReachTheTerminal) {
  TemporaryFolder folder;
  const std::string escape = "\\u001b]0;owned\\u0007", csi = "\\u009b31m", turned = "\\u202e";
  const std::string header = R"({"__metadata__":{"a)" + escape + R"(":")" + csi + turned + R"("},"w)" + escape + csi +
                             turned + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  const std::string file = folder.write("x.safetensors", bytes + header + std::string(4, '\0')).string();
  for (const char* format : {"--all", "--json"}) {
    const Outcome got = tools({"inspect", file, format});
    EXPECT_EQ(got.code, 0) << got.err;
    for (const char* sequence : {"\x1b", "\x07", "\xc2\x9b", "\xe2\x80\xae"})
      EXPECT_THAT(got.out, Not(HasSubstr(sequence))) << format;
  }
  EXPECT_THAT(tools({"inspect", file}).out, HasSubstr("  w?]0;owned??31m?  float32  [1]  4 B\n"));
  EXPECT_EQ(value_at(json_of(tools({"inspect", file, "--json"})).find("tensors")->items().at(0), "path"),
            "w\x1b]0;owned\x07\xc2\x9b"
            "31m\xe2\x80\xae");
}

TEST(InspectCli, NamesWhatIsWrong) {
  expect_refusal(tools({"inspect", "absent.ckpt"}), 4, "absent.ckpt: cannot open: No such file or directory");
  expect_refusal(tools({"inspect", "/"}), 4, "/: is a folder, expected a file");
  expect_refusal(tools({"inspect"}), 2, "FILE");
  expect_refusal(tools({"inspect", checkpoint("good.safetensors"), "--limit", "0"}), 2, "limit");
}

}  // namespace
}  // namespace reseda::tests
