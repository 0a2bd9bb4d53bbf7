#include "io/record/yaml.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "io/record/file_bytes.hpp"

namespace reseda::io {
namespace {

class Events final : public YAML::EventHandler {
 public:
  Events(std::string name, const TreeLimits& limits) : name_(std::move(name)), builder_(limits, Errc::kUsage) {}

  const ConfigNode& root() const { return builder_.root(); }
  std::string where(const YAML::Mark& mark) const { return name_ + ":" + std::to_string(mark.line + 1); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    builder_.null(where(mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_anchor(mark, 1); }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override { refuse_anchor(mark, 1); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check(mark, tag, anchor);
    builder_.scalar(value, where(mark));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check(mark, tag, anchor);
    builder_.begin_list(where(mark));
  }
  void OnSequenceEnd() override { builder_.end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check(mark, tag, anchor);
    builder_.begin_map(where(mark));
  }
  void OnMapEnd() override { builder_.end(); }

 private:
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0) builder_.fail(where(mark), "anchors (&) and aliases (*) are not allowed");
  }
  void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    refuse_anchor(mark, anchor);
    // yaml-cpp's own marks: "?" for plain, "!" for quoted.
    if (!tag.empty() && tag != "?" && tag != "!") builder_.fail(where(mark), "tags (!) are not allowed");
  }
  std::string name_;
  TreeBuilder builder_;
};

}  // namespace

ConfigNode parse_yaml(std::string_view text, const std::string& name, const TreeLimits& limits) {
  RESEDA_REQUIRE(text.size() <= limits.bytes, Errc::kUsage, name, ": larger than ", limits.bytes, " bytes");
  std::istringstream stream{std::string(text)};
  Events events(name, limits);
  try {
    YAML::Parser parser(stream);
    if (parser.HandleNextDocument(events)) {
      const ConfigNode first = events.root();
      Events second(name, limits);
      RESEDA_REQUIRE(!parser.HandleNextDocument(second), Errc::kUsage, name, ": holds more than one YAML document");
      return first;
    }
  } catch (const YAML::Exception& error) {
    reseda::detail::raise(Errc::kUsage, events.where(error.mark), ": not valid YAML: ", error.msg);
  }
  return {};
}

ConfigNode read_yaml(const std::filesystem::path& file, const TreeLimits& limits) {
  return parse_yaml(read_file(file, limits.bytes, Errc::kUsage), file.string(), limits);
}

}  // namespace reseda::io
