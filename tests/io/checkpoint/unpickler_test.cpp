#include "io/checkpoint/unpickler.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <memory>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/pickle_globals.hpp"
#include "tests/io/checkpoint/torch_builder.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::io {
namespace {

using namespace std::string_literals;
using tests::expect_error;
using tests::Pickle;
using tests::span_of;

struct Read {
  Value value;
  std::set<std::string> globals, refused;
  std::size_t consumed = 0;
};

Read read(std::string pickle, bool opaque = false) {
  auto arena = std::make_shared<ValueArena>("a.pt");
  Unpickler unpickler(*arena, opaque, [](PickleContext& context, std::uint32_t) -> std::uint32_t {
    detail::raise(Errc::kCheckpoint, context.here(), ": no storages here");
  });
  Read out;
  const std::uint32_t root = unpickler.read(span_of(pickle), "a.pt: data.pkl", out.consumed);
  out.value = Value(arena, root);
  out.globals = unpickler.globals();
  out.refused = unpickler.refused();
  return out;
}

Value value_of(const std::string& pickle, bool opaque = false) { return read(pickle, opaque).value; }

void expect_refused(const std::string& reason, const std::string& pickle, bool opaque = false) {
  expect_error(Errc::kCheckpoint, reason, [&] { read(pickle, opaque); });
}

TEST(Unpickler, ReadsNumbers) {
  EXPECT_EQ(value_of("K\x07.").integer(), 7);
  EXPECT_EQ(value_of("M\x02\x01.").integer(), 258);
  EXPECT_EQ(value_of("J\xfe\xff\xff\xff.").integer(), -2);
  EXPECT_EQ(value_of("I-12\n.").integer(), -12);
  EXPECT_EQ(value_of("L77L\n.").integer(), 77);
  EXPECT_EQ(value_of("\x8a\x00."s).integer(), 0);
  EXPECT_EQ(value_of("\x8a\x01\xff."s).integer(), -1);
  EXPECT_EQ(value_of("\x8b\x02\x00\x00\x00\xff\x00."s).integer(), 255);
  EXPECT_TRUE(value_of("I01\n.").boolean());
  EXPECT_FALSE(value_of("I00\n.").boolean());
  EXPECT_TRUE(value_of("\x88.").boolean());
  EXPECT_FALSE(value_of("\x89.").boolean());
  EXPECT_EQ(value_of("N.").kind(), ValueKind::kNone);
  EXPECT_EQ(value_of("G\x3f\xb9\x99\x99\x99\x99\x99\x9a.").real(), 0.1);
  EXPECT_EQ(value_of("F1e-08\n.").real(), 1e-8);
  EXPECT_TRUE(std::isinf(value_of("Finf\n.").real()));
  EXPECT_EQ(value_of("K\x07.").real(), 7.0);
}

TEST(Unpickler, KeepsIntegersBeyond64Bits) {
  const Value big = value_of("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01."s);
  EXPECT_EQ(big.kind(), ValueKind::kInteger);
  EXPECT_EQ(big.text(), "18446744073709551616");
  EXPECT_EQ(big.real(), 18446744073709551616.0);
  expect_error(Errc::kCheckpoint, "a.pt: the integer 18446744073709551616 does not fit 64 bits",
               [&] { big.integer(); });
  EXPECT_EQ(value_of("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\xff."s).text(), "-9223372036854775809");
  EXPECT_EQ(value_of("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\xff."s).integer(), INT64_MIN);
  EXPECT_EQ(value_of("L-99999999999999999999L\n.").text(), "-99999999999999999999");
}

TEST(Unpickler, ReadsTexts) {
  EXPECT_EQ(value_of("X\x03\x00\x00\x00"
                     "abc."s)
                .text(),
            "abc");
  EXPECT_EQ(value_of("\x8c\x02\xc2\xb5.").text(), "\xc2\xb5");
  EXPECT_EQ(value_of("\x8d\x01\x00\x00\x00\x00\x00\x00\x00"
                     "a."s)
                .text(),
            "a");
  EXPECT_EQ(value_of("U\x02hi.").text(), "hi");
  EXPECT_EQ(value_of("T\x02\x00\x00\x00hi."s).text(), "hi");
  EXPECT_EQ(value_of("S'it\\'s\\n\\x41\\101'\n.").text(), "it's\nAA");
  EXPECT_EQ(value_of("V\\u00b5\\U0001F600\xe9\n.").text(), "\xc2\xb5\xf0\x9f\x98\x80\xc3\xa9");
  EXPECT_EQ(value_of("C\x02\x00\xff."s).text(), "\x00\xff"s);
  EXPECT_EQ(value_of("C\x02\x00\xff."s).kind(), ValueKind::kBytes);
  EXPECT_EQ(value_of("U\x01\xff.").kind(), ValueKind::kBytes);
  EXPECT_EQ(value_of("B\x01\x00\x00\x00z."s).text(), "z");
  EXPECT_EQ(
      value_of(Pickle().global("_codecs", "encode").text("\x01\xc3\xbf").text("latin1").raw("\x86R").end()).text(),
      "\x01\xff");
  for (const std::string bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xe0\x80\x80"})
    expect_refused("a.pt: data.pkl: byte 2: text is not UTF-8", Pickle().text(bad).end());
  expect_refused("text with broken quotes or escapes", "S'a\n.");
  expect_refused("text with broken quotes or escapes", "S'\\x4'\n.");
  expect_refused("text with broken quotes or escapes", "V\\ud800\n.");
}

TEST(Unpickler, ReadsContainers) {
  const Value list = value_of(
      "](K\x01K\x02"
      "eK\x03"
      "a.");
  ASSERT_EQ(list.kind(), ValueKind::kList);
  ASSERT_EQ(list.items().size(), 3u);
  EXPECT_EQ(list.items()[2].integer(), 3);
  EXPECT_EQ(value_of("(K\x01K\x02K\x03K\x04t.").items().size(), 4u);
  EXPECT_EQ(value_of("K\x01K\x02\x86.").kind(), ValueKind::kTuple);
  EXPECT_EQ(value_of(").").items().size(), 0u);
  EXPECT_EQ(value_of("(K\x01l.").kind(), ValueKind::kList);
  EXPECT_EQ(value_of("\x8f(K\x01\x90.").kind(), ValueKind::kSet);
  EXPECT_EQ(value_of("(K\x01\x91.").items().size(), 1u);
  const Value dict =
      value_of(Pickle().raw("}").mark().text("a").integer(1).text("b").integer(2).raw("u").text("c").raw("Ns").end());
  ASSERT_EQ(dict.kind(), ValueKind::kDict);
  EXPECT_EQ(dict.entries().size(), 3u);
  EXPECT_EQ(dict.find("b")->integer(), 2);
  EXPECT_FALSE(dict.find("d").has_value());
  EXPECT_EQ(value_of("(K\x01K\x02"
                     "d.")
                .entries()[0]
                .second.integer(),
            2);
}

TEST(Unpickler, MakesPlainValuesOfKnownGlobals) {
  const auto made = [](const std::string& module, const std::string& name, const std::string& arguments) {
    return value_of(Pickle().global(module, name).raw(arguments + "R").end());
  };
  EXPECT_EQ(made("collections", "OrderedDict", ")").kind(), ValueKind::kDict);
  EXPECT_EQ(made("collections", "OrderedDict",
                 "]](K\x01K\x02"
                 "ea\x85")
                .entries()[0]
                .second.integer(),
            2);
  EXPECT_EQ(made("collections", "defaultdict", "c__builtin__\nlist\n\x85").kind(), ValueKind::kDict);
  EXPECT_EQ(made("collections", "Counter", "}K\x01K\x02s\x85").entries().size(), 1u);
  EXPECT_EQ(made("builtins", "set",
                 "](K\x01"
                 "e\x85")
                .kind(),
            ValueKind::kSet);
  EXPECT_EQ(made("torch", "Size", "(K\x02K\x03t\x85").items()[1].integer(), 3);
  const Value device = made("torch", "device",
                            "U\x03"
                            "cpu\x85");
  EXPECT_EQ(device.kind(), ValueKind::kOpaque);
  EXPECT_EQ(device.text(), "torch.device");
  EXPECT_EQ(device.items()[0].items()[0].text(), "cpu");
  EXPECT_EQ(value_of("ctorch\nfloat16\n.").text(), "torch.float16");
  EXPECT_EQ(read("ctorch\nfloat16\n.").globals, std::set<std::string>{"torch.float16"});
}

TEST(Unpickler, MakesNumbersOfNumpy) {
  const auto scalar = [](const std::string& dtype, const std::string& order, const std::string& bytes) {
    return value_of(Pickle()
                        .global("numpy.core.multiarray", "scalar")
                        .global("numpy", "dtype")
                        .text(dtype)
                        .raw("\x89\x88\x87R")
                        .mark()
                        .integer(3)
                        .text(order)
                        .raw("NNNtb")
                        .raw("C" + std::string(1, static_cast<char>(bytes.size())) + bytes)
                        .raw("\x86R")
                        .end());
  };
  EXPECT_EQ(scalar("f8", "<", "\x00\x00\x00\x00\x00\x00\xf8\x3f"s).real(), 1.5);
  EXPECT_EQ(scalar("f4", "<", "\x00\x00\xc0\xbf"s).real(), -1.5);
  EXPECT_EQ(scalar("i8", "<", "\xfe\xff\xff\xff\xff\xff\xff\xff").integer(), -2);
  EXPECT_EQ(scalar("i2", "<", "\xfe\xff").integer(), -2);
  EXPECT_EQ(scalar("u2", "<", "\xfe\xff").integer(), 65534);
  EXPECT_TRUE(scalar("b1", "|", "\x01").boolean());
  EXPECT_EQ(scalar("f8", ">", "\x3f\xf8\x00\x00\x00\x00\x00\x00"s).kind(), ValueKind::kOpaque);
  EXPECT_EQ(scalar("f8", "<", "\x00").kind(), ValueKind::kOpaque);
  EXPECT_EQ(scalar("O8", "<", "\x00\x00\x00\x00\x00\x00\xf8\x3f"s).kind(), ValueKind::kOpaque);
}

TEST(Unpickler, RefusesNamesOutsideTheTableAndSaysWhich) {
  expect_refused("a.pt: data.pkl: byte 2: names 'os.system', which is not plain data: refused, nothing was run",
                 Pickle().global("os", "system").raw("U\x04trueR").end());
  expect_refused("'builtins.eval'", Pickle().text("builtins").text("eval").raw("\x93.").end());
  // A dotted name is no row of the table, whatever it looks like joined.
  expect_refused("'torch._utils._rebuild_tensor_v2'",
                 Pickle().text("torch").text("_utils._rebuild_tensor_v2").raw("\x93").end());
  expect_refused("'collections.OrderedDict.__init__'",
                 Pickle().text("collections").text("OrderedDict.__init__").raw("\x93").end());
  expect_refused(
      "'torch.nn.modules.linear.Linear', which is not plain data: refused, nothing was run; the file holds a "
      "whole pickled module, expected its state_dict()",
      Pickle().global("torch.nn.modules.linear", "Linear").end());
  for (const std::string name : {"system", "popen"}) expect_refused("nothing was run", "cposix\n" + name + "\n.");
}

TEST(Unpickler, RefusesInstructionsThatMakeObjects) {
  for (const bool opaque : {false, true}) {
    expect_refused("INST would make 'os.system'", "(U\x04trueios\nsystem\n.", opaque);
    expect_refused("instruction EXT", "\x82\x01.", opaque);
    expect_refused("instruction EXT", "\x84\x01\x00\x00\x00."s, opaque);
    expect_refused("instruction PERSID", "P1\n.", opaque);
    expect_refused("out-of-band buffers", "\x97.", opaque);
    expect_refused("a.pt: data.pkl: byte 2: unknown pickle instruction 0xff", "\x80\x02\xff.", opaque);
  }
  expect_refused("instruction OBJ", Pickle().mark().global("argparse", "Namespace").raw("o").end());
  expect_refused("pickle protocol 99", "\x80\x63N.");
}

TEST(Unpickler, KeepsUnknownClassesAsOpaqueValues) {
  const std::string pickle =
      Pickle().global("some.where", "Thing").integer(1).raw("\x85\x81").raw("}").text("lr").integer(5).raw("sb").end();
  expect_refused("'some.where.Thing'", pickle);
  const Read kept = read(pickle, true);
  EXPECT_EQ(kept.refused, std::set<std::string>{"some.where.Thing"});
  ASSERT_EQ(kept.value.kind(), ValueKind::kOpaque);
  EXPECT_EQ(kept.value.text(), "some.where.Thing");
  ASSERT_EQ(kept.value.items().size(), 2u);
  EXPECT_EQ(kept.value.items()[0].items()[0].integer(), 1);
  EXPECT_EQ(kept.value.items()[1].find("lr")->integer(), 5);
  // What an opaque value makes when called is opaque; items given to it are kept.
  const Value called =
      value_of(Pickle().global("a", "f").raw(")R)R").mark().integer(1).raw("e").mark().text("k").raw("Nu").end(), true);
  EXPECT_EQ(called.kind(), ValueKind::kOpaque);
  EXPECT_EQ(called.text(), "a.f");
  EXPECT_EQ(called.items()[1].items()[0].integer(), 1);
  EXPECT_EQ(called.items()[2].entries().size(), 1u);
}

TEST(Unpickler, ReadsNamespacesWithoutTheOption) {
  const Value value =
      value_of(Pickle().global("argparse", "Namespace").raw(")\x81}").text("lr").integer(3).raw("sb").end());
  EXPECT_EQ(value.text(), "argparse.Namespace");
  EXPECT_EQ(value.items()[1].find("lr")->integer(), 3);
}

TEST(Unpickler, RefusesMisuse) {
  expect_refused("takes a value from an empty stack", "R.");
  expect_refused("takes a value from an empty stack", ".");
  expect_refused("takes a value from an empty stack", "K\x01(.");
  expect_refused("mark that is not there", "t.");
  expect_refused("left over", "K\x01K\x02.");
  expect_refused("calls an integer", "K\x01)R.");
  expect_refused("arguments must be a tuple, got a list",
                 Pickle().global("collections", "OrderedDict").raw("]R").end());
  expect_refused("'torch.FloatStorage' cannot be called", Pickle().global("torch", "FloatStorage").raw(")R").end());
  expect_refused("a list cannot be given a state", "]}b.");
  expect_refused("cannot append to a dict", "}Na.");
  expect_refused("cannot set items of a list", "]NNs.");
  expect_refused("a key without value", "}(Nu.");
  expect_refused("a list cannot be a key", "}]Ns.");
  expect_refused("memo slot 5 is not filled", "h\x05.");
  expect_refused("a name must be two texts", "K\x01K\x02\x93.");
  expect_refused("not an integer: '0x10'", "I0x10\n.");
  expect_refused("not a number: ''", "F\n.");
  expect_refused("not a memo slot",
                 "N"
                 "p-1\n.");
  expect_refused("a dict has the key 'k' twice", Pickle().raw("}").mark().text("k").raw("N").text("k").raw("Nu").end());
  expect_refused("needs pairs", Pickle()
                                    .global("collections", "OrderedDict")
                                    .raw("](K\x01"
                                         "e\x85R")
                                    .end());
  expect_refused("not Latin-1",
                 Pickle().global("_codecs", "encode").text("\xe2\x82\xac").text("latin1").raw("\x86R").end());
}

TEST(Unpickler, RefusesEveryTruncation) {
  const std::string whole = Pickle()
                                .raw("}")
                                .mark()
                                .text("a")
                                .integers({1, 2})
                                .text("b")
                                .global("collections", "OrderedDict")
                                .raw(")Rq\x01")
                                .text("c")
                                .raw("h\x01u")
                                .end();
  EXPECT_EQ(read(whole + "rest").consumed, whole.size());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    expect_refused("a.pt: data.pkl: ", whole.substr(0, size));
  }
}

TEST(Unpickler, RefusesLyingLengths) {
  for (const std::string& length : {"\xff\xff\xff\xff\xff\xff\xff\x7f"s, "\xff\xff\xff\xff\xff\xff\xff\xff"s,
                                    "\x00\x00\x00\x00\x01\x00\x00\x00"s}) {
    for (const std::string code : {"\x8d", "\x8e", "\x96"}) expect_refused("(truncated?)", code + length + "abc.");
    expect_refused("frame of", "\x95" + length + "N.");
  }
  expect_refused("(truncated?)",
                 "X\xff\xff\xff\xff"
                 "abc.");
  expect_refused("(truncated?)",
                 "\x8b\xff\xff\xff\x7f"
                 "abc.");
  expect_refused("integer of 1000 bytes", "\x8b\xe8\x03\x00\x00"s + std::string(1000, '\x01') + ".");
  expect_refused("text of 1048577 bytes, at most 1048576", Pickle().text(std::string((1 << 20) + 1, 'a')).end());
  EXPECT_EQ(value_of(Pickle().text(std::string(1 << 20, 'a')).end()).text().size(), 1u << 20);
}

std::string repeated(const std::string& what, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += what;
  return out;
}

TEST(Unpickler, LimitsNesting) {
  EXPECT_EQ(value_of(repeated("]", 256) + repeated("a", 255) + ".").kind(), ValueKind::kList);
  expect_refused("nested deeper than 256 levels", repeated("]", 257) + repeated("a", 256) + ".");
  expect_refused("nested deeper than 256 levels", repeated("]", 50'000) + repeated("a", 49'999) + ".");
  expect_refused("nested deeper than 256 levels", ")" + repeated("\x85", 1'000'000) + ".");
  expect_refused("nested too deep", repeated("(", 100'000) + ".");
  // A short way to a deep value is met first, then a longer one.
  expect_refused("nested deeper than 256 levels", repeated("]", 200) + repeated("a", 199) + "q\x01" +
                                                      "]h\x01"
                                                      "a" +
                                                      repeated("\x85", 100) + "\x86.");
}

TEST(Unpickler, AllowsCyclesAndSharing) {
  const Value self = value_of(
      "]q\x00h\x00"
      "a."s);
  ASSERT_EQ(self.items().size(), 1u);
  EXPECT_EQ(self.items()[0].index(), self.index());
  const auto leaves = flatten(self);
  ASSERT_EQ(leaves.size(), 1u);
  EXPECT_EQ(leaves[0].first, "[0]");
  // 2^64 leaves in 300 bytes.
  std::string laughs =
      "]q\x01"
      "0h\x01";
  for (int i = 0; i < 64; ++i)
    laughs +=
        "q\x02"
        "0h\x02h\x02\x86";
  expect_error(Errc::kCheckpoint, "too large to list", [&] { flatten(value_of(laughs + ".")); });
}

TEST(Unpickler, FindsMemoSlotsOfAnyNumber) {
  EXPECT_EQ(value_of("K\x07r\xff\xff\xff\xff"
                     "0j\xff\xff\xff\xff.")
                .integer(),
            7);
  EXPECT_EQ(value_of("K\x07p12345678901\n0g12345678901\n.").integer(), 7);
  EXPECT_EQ(value_of("K\x07\x94"
                     "0K\x08\x94"
                     "0h\x01."s)
                .integer(),
            8);
  EXPECT_EQ(value_of("K\x07q\x03"
                     "0K\x08q\x00"
                     "0K\x09q\x01"
                     "0h\x00h\x01h\x03\x87."s)
                .items()[2]
                .integer(),
            7);
}

TEST(Unpickler, StaysSmallOnAmplifyingPrograms) {
  // One text of a mebibyte, encoded over and over.
  const std::string text = Pickle()
                               .global("_codecs", "encode")
                               .raw("q\x00"s)
                               .text(std::string(1 << 20, 'a'))
                               .text("latin1")
                               .raw("\x86q\x01")
                               .end();
  const std::string head = text.substr(0, text.size() - 1);
  expect_refused("bytes of text", head + repeated("h\x00h\x01R0"s, 300) + ".");
  // One list of a mebi items, copied over and over.
  const std::string list =
      Pickle().global("builtins", "list").raw("q\x00]("s).raw(repeated("N", 1 << 20)).raw("e\x85q\x01").end();
  expect_refused("items in all", list.substr(0, list.size() - 1) + repeated("h\x00h\x01R0"s, 300) + ".");
}

}  // namespace
}  // namespace reseda::io
