#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/table.h"

/// Reports as one self-contained HTML page: no scripts, nothing loaded from elsewhere, light or dark as the reader's
/// system is. All texts are escaped.
namespace filigree {

/// Text in which & < > " ' stand as entities, for use in an element or a quoted attribute.
std::string escape_html(std::string_view text);

/// Base64 with padding (RFC 4648, section 4).
std::string base64(std::string_view bytes);

/// A figure that matters: "tokens per second", "1.2 M", "30 % of peak".
struct HtmlCard {
  std::string label;
  std::string value;
  std::string note = {};
};

/// A page built from top to bottom.
///
///     Html page("Pangu Ultra MoE on 6,144 devices", "planned with filigree 0.1");
///     page.cards({{"step", "4.8 s"}, {"utilisation", "31 %", "of peak"}});
///     page.section("Timeline").image("timeline.png", "One step on 16 stages.", "Bars of 16 pipeline stages over time");
///     page.write("report.html");
class Html {
 public:
  explicit Html(std::string title, std::string subtitle = "");

  /// A heading above sections, on a page about several things.
  Html& part(std::string_view heading);

  /// A heading; from three on, the page has a list of contents.
  Html& section(std::string_view heading);
  Html& subsection(std::string_view heading);
  Html& paragraph(std::string_view text);
  Html& list(const std::vector<std::string>& items);

  /// A paragraph that stands out, such as an assumption or a warning.
  Html& note(std::string_view text);

  Html& code(std::string_view text);
  Html& table(const Table& table, std::string_view caption = "");
  Html& cards(const std::vector<HtmlCard>& cards);

  /// Embeds a PNG, JPEG or SVG file; `alt` says in words what it shows. Error where the file cannot be read or has
  /// another ending.
  Html& image(const std::filesystem::path& path, std::string_view caption, std::string_view alt);

  /// Embeds the bytes of a picture, whose type is such as "image/svg+xml".
  Html& image_bytes(std::string_view bytes, std::string_view media_type, std::string_view caption,
                    std::string_view alt);

  /// Lets a browser load the page again after so many seconds: for a page that is rewritten while work goes on.
  Html& refresh(int seconds);

  /// The whole page.
  std::string text() const;

  /// Writes the page. Error where the place cannot be written.
  void write(const std::filesystem::path& path) const;

 private:
  std::string title_;
  std::string subtitle_;
  struct Heading {
    std::string text;
    bool part = false;
  };
  std::vector<Heading> headings_;
  std::string body_;
  int refresh_seconds_ = 0;
};

}  // namespace filigree
