#include "io/record/html_report.hpp"

#include <cctype>
#include <cstdint>

#include "io/record/svg_plot.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--line:#d8dade;--soft:#f4f5f7;--dim:#5c6370}
@media(prefers-color-scheme:dark){:root{--line:#3a3f47;--soft:#22262c;--dim:#a0a7b4}body{background:#16181c;color:#e6e8eb}}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:72rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}
caption{text-align:left;color:var(--dim);padding:.3rem 0}
th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
th{background:var(--soft)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
.plot{width:100%;max-width:44rem;height:auto;display:block;margin:1rem 0;font-size:12px}.plot text{fill:currentColor}
.grid{stroke:var(--line)}.axis{stroke:currentColor}
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:1rem}
figure{margin:0}figure img{width:100%;height:auto;image-rendering:auto}figcaption{color:var(--dim);font-size:.85rem}
)";

/// Whether a cell is a number, with an optional sign, unit-free: those are set flush right.
bool is_number(const std::string& text) {
  bool digit = false;
  for (const char c : text) {
    if (std::isdigit(static_cast<unsigned char>(c)))
      digit = true;
    else if (std::string_view("+-.,eE% ").find(c) == std::string_view::npos)
      return false;
  }
  return digit;
}

}  // namespace

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

HtmlReport::HtmlReport(std::string title) : title_(std::move(title)) {}

HtmlReport& HtmlReport::heading(std::string_view text) {
  body_ += "<h2>" + escape_html(text) + "</h2>\n";
  return *this;
}

HtmlReport& HtmlReport::paragraph(std::string_view text) {
  body_ += "<p>" + escape_html(text) + "</p>\n";
  return *this;
}

HtmlReport& HtmlReport::facts(const std::vector<std::pair<std::string, std::string>>& pairs) {
  body_ += "<dl>\n";
  for (const auto& [name, value] : pairs)
    body_ += "<dt>" + escape_html(name) + "</dt><dd>" + escape_html(value) + "</dd>\n";
  body_ += "</dl>\n";
  return *this;
}

HtmlReport& HtmlReport::table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                              std::string_view caption) {
  body_ += "<div class=\"scroll\"><table>\n";
  if (!caption.empty()) body_ += "<caption>" + escape_html(caption) + "</caption>\n";
  body_ += "<thead><tr>";
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool number = !rows.empty() && i < rows.front().size() && is_number(rows.front()[i]);
    body_ += std::string(number ? "<th class=\"n\" scope=\"col\">" : "<th scope=\"col\">") + escape_html(header[i]) +
             "</th>";
  }
  body_ += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    RESEDA_INVARIANT(row.size() == header.size());
    body_ += "<tr>";
    for (const std::string& cell : row)
      body_ += (is_number(cell) ? "<td class=\"n\">" : "<td>") + escape_html(cell) + "</td>";
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
  return *this;
}

HtmlReport& HtmlReport::plot(std::string_view svg) {
  body_ += svg;
  return *this;
}

HtmlReport& HtmlReport::pictures(const std::vector<Picture>& pictures) {
  body_ += "<div class=\"row\">\n";
  for (const Picture& picture : pictures)
    body_ += "<figure><img alt=\"" + escape_html(picture.caption) + "\" src=\"data:image/png;base64," +
             base64(picture.png) + "\"><figcaption>" + escape_html(picture.caption) + "</figcaption></figure>\n";
  body_ += "</div>\n";
  return *this;
}

std::string HtmlReport::page() const {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
         "style-src 'unsafe-inline'\">\n<title>" +
         escape_html(title_) + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<h1>" + escape_html(title_) +
         "</h1>\n" + body_ + "</body>\n</html>\n";
}

}  // namespace reseda::io
