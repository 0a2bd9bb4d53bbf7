#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reseda::io {

/// A picture of a report: PNG bytes and the text below it (and for readers that show no pictures).
struct Picture {
  std::string png;
  std::string caption;
};

/// One self-contained HTML page: no scripts, no links to elsewhere, light or dark as the reader prefers, readable on a
/// phone. Everything that is not markup of this class is escaped. The same calls give the same bytes.
class HtmlReport {
 public:
  explicit HtmlReport(std::string title);

  HtmlReport& heading(std::string_view text);
  HtmlReport& paragraph(std::string_view text);
  /// Name and value pairs, e.g. how the page was made.
  HtmlReport& facts(const std::vector<std::pair<std::string, std::string>>& pairs);
  /// Numbers are set flush right; a long table scrolls inside the page.
  HtmlReport& table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                    std::string_view caption = "");
  /// An element made by line_plot or bar_plot.
  HtmlReport& plot(std::string_view svg);
  /// Pictures side by side, below each other on a narrow screen.
  HtmlReport& pictures(const std::vector<Picture>& pictures);

  std::string page() const;

 private:
  std::string title_, body_;
};

/// RFC 4648 base64 with padding.
std::string base64(std::string_view bytes);

}  // namespace reseda::io
