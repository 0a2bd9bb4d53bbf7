// A program of the same build as the real ones, for the CLI tests: copies text files in upper case.
#include <fcntl.h>

#include <cctype>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "io/record/atomic_file.hpp"
#include "io/record/file_bytes.hpp"
#include "modules/core/config.hpp"
#include "pipelines/common/batch_runner.hpp"
#include "pipelines/common/config_layers.hpp"
#include "pipelines/common/program.hpp"

namespace reseda::app {
namespace {

struct EchoConfig {
  bool upper = true;
  std::int64_t repeat = 1;
  std::string prefix = "";
  std::vector<double> weights = {0.5, 1e-7};
  ConfigNode style;
  EchoConfig() {
    style["name"] = ConfigNode("plain");
    style["width"] = ConfigNode("80");
  }
  template <class V>
  void fields(V& v) {
    v("upper", upper, "upper case");
    v("repeat", repeat, "copies of the text");
    v("prefix", prefix, "put before the text");
    v("weights", weights, "unused numbers");
    v("style", style, "a component");
  }
  void validate() const { RESEDA_REQUIRE(repeat >= 1, Errc::kUsage, "repeat must be >= 1, got ", repeat); }
};

class EchoJob final : public ItemJob {
 public:
  EchoJob(BatchItem item, EchoConfig config, std::int64_t slow_ms)
      : item_(std::move(item)),
        config_(std::move(config)),
        slow_ms_(slow_ms),
        text_(io::read_file(item_.input, 1 << 20)) {
    RESEDA_REQUIRE(text_.rfind("BAD", 0) != 0, Errc::kInput, item_.input.string(), ": starts with BAD");
  }
  void compute(ItemContext& context) override {
    if (text_.rfind("NAN", 0) == 0) throw Error(Errc::kNumeric, "the result is not finite");
    if (text_.rfind("BOOM", 0) == 0) throw std::bad_alloc();
    for (std::int64_t waited = 0; waited < slow_ms_; waited += 10) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      context.report(waited / 10, slow_ms_ / 10);
    }
    std::string out = config_.prefix;
    for (std::int64_t i = 0; i < config_.repeat; ++i) out += text_;
    if (config_.upper)
      for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    text_ = std::move(out);
  }
  void save() override {
    const int file = ::open(item_.staged.c_str(), O_WRONLY);
    RESEDA_REQUIRE(file >= 0, Errc::kOutput, item_.staged.string(), ": cannot write");
    const io::Descriptor owner(file);
    io::write_bytes(file, std::string_view(text_).substr(0, text_.size() / 2), item_.output.string());
    std::this_thread::sleep_for(std::chrono::milliseconds(slow_ms_ / 2));  // a window in which half a file is there
    io::write_bytes(file, std::string_view(text_).substr(text_.size() / 2), item_.output.string());
  }
  ConfigNode facts() const override {
    ConfigNode facts = ConfigNode::map();
    facts["bytes"] = ConfigNode(std::to_string(text_.size()));
    return facts;
  }

 private:
  BatchItem item_;
  EchoConfig config_;
  std::int64_t slow_ms_;
  std::string text_;
};

int copy(const Flags& flags) {
  const EchoConfig config = ConfigLayers().add_flags(flags).read<EchoConfig>();
  if (printed_config(flags, write_config(config))) return 0;
  BatchOptions options = batch_options(flags);
  options.extensions = {".txt", ".text"};
  options.output_extension = flags.text("extension");
  options.config = write_config(config);
  const std::int64_t slow_ms = flags.integer("slow-ms");
  return run_batch(options, [&](const BatchItem& item) { return std::make_unique<EchoJob>(item, config, slow_ms); });
}

int main_of(int argc, char** argv) {
  FlagTable table = batch_flags();
  table.add(config_flags());
  table.add({.name = "slow-ms", .type = FlagType::kInteger, .value = "0", .help = "time per item", .least = 0});
  table.add({.name = "extension", .help = "extension of the outputs"});
  return run_program(argc, argv,
                     {"echo_tool",
                      "Copies text.",
                      {{"copy", "Copies text files in upper case.", "echo_tool copy -r IN -o OUT", table, &copy},
                       {"crash", "Throws.", "", FlagTable(), [](const Flags&) -> int { throw std::bad_alloc(); }},
                       {"wait", "Waits for a signal.", "", FlagTable(), [](const Flags&) -> int {
                          while (!stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
                          std::this_thread::sleep_for(std::chrono::seconds(30));
                          return 0;
                        }}}});
}

}  // namespace
}  // namespace reseda::app

int main(int argc, char** argv) { return reseda::app::main_of(argc, argv); }
