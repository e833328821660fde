#include "base/html.h"

#include <cstdint>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace filigree {
namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1f2328;--dim:#59636e;--page:#ffffff;--soft:#f6f8fa;--line:#d9dee3;--mark:#0b6bb8;--warm:#fff8e6}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--dim:#9aa4af;--page:#14171a;--soft:#1d2125;--line:#343a40;--mark:#6cb6f5;--warm:#2b2617}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:1040px;margin:0 auto;padding:40px 24px 72px}
h1{font-size:1.9rem;line-height:1.2;margin:0}
h2{font-size:1.3rem;margin:2.4em 0 .6em;padding-top:.8em;border-top:1px solid var(--line)}
h2.part{font-size:1.6rem;margin-top:3em;border-top:3px solid var(--mark)}
h3{font-size:1.05rem;margin:1.6em 0 .4em}
p{max-width:72ch;margin:.6em 0}
a{color:var(--mark);text-decoration:none}a:hover{text-decoration:underline}
.subtitle,figcaption,.caption,.cards small{color:var(--dim)}
.subtitle{margin:.4em 0 0}
nav{margin:1.2em 0 0;display:flex;flex-wrap:wrap;gap:.3em 1.2em;font-size:.92rem}nav a.part{flex-basis:100%;font-weight:600;margin-top:.4em}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:1.4em 0}
.cards>div{background:var(--soft);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
.cards span,.cards small{display:block;font-size:.85rem}.cards span{color:var(--dim)}
.cards b{display:block;font-size:1.55rem;font-weight:600;line-height:1.3;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto;margin:1em 0}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:6px 14px 6px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:600;white-space:nowrap;border-bottom-width:2px}
th.num,td.num{text-align:right}td.num{white-space:nowrap}
.caption{font-size:.88rem;margin:0 0 .4em}
pre{background:var(--soft);border:1px solid var(--line);border-radius:8px;padding:12px 16px;overflow-x:auto;font:13px/1.5 ui-monospace,"Liberation Mono",Menlo,Consolas,monospace}
figure{margin:1.2em 0}figcaption{font-size:.9rem;margin-top:.5em;max-width:80ch}
img{display:block;max-width:100%;height:auto;background:#fff;border:1px solid var(--line);border-radius:8px}
.note{background:var(--warm);border-left:3px solid #e0a100;border-radius:0 6px 6px 0;padding:10px 14px;max-width:none}
@media print{main{max-width:none;padding:0}h2{break-after:avoid}figure,tr,.cards>div{break-inside:avoid}}
)";

std::string media_type(const std::filesystem::path& path) {
  const std::string ending = text::lower(path.extension().string());
  if (ending == ".png") return "image/png";
  if (ending == ".jpg" || ending == ".jpeg") return "image/jpeg";
  if (ending == ".svg") return "image/svg+xml";
  fail("{}: cannot be embedded in a page; expected a file that ends in .png, .jpg, .jpeg or .svg", path.string());
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return i + k < bytes.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i + k])) : 0u;
    };
    const std::uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += kDigits[bits >> 18];
    out += kDigits[bits >> 12 & 63];
    out += i + 1 < bytes.size() ? kDigits[bits >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kDigits[bits & 63] : '=';
  }
  return out;
}

Html::Html(std::string title, std::string subtitle) : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

Html& Html::part(std::string_view heading) {
  headings_.push_back({std::string(heading), true});
  body_ += fmt::format("<h2 class=\"part\" id=\"section-{}\">{}</h2>\n", headings_.size(), escape_html(heading));
  return *this;
}

Html& Html::section(std::string_view heading) {
  headings_.push_back({std::string(heading), false});
  body_ += fmt::format("<h2 id=\"section-{}\">{}</h2>\n", headings_.size(), escape_html(heading));
  return *this;
}

Html& Html::subsection(std::string_view heading) {
  body_ += fmt::format("<h3>{}</h3>\n", escape_html(heading));
  return *this;
}

Html& Html::paragraph(std::string_view text) {
  body_ += fmt::format("<p>{}</p>\n", escape_html(text));
  return *this;
}

Html& Html::list(const std::vector<std::string>& items) {
  body_ += "<ul>\n";
  for (const std::string& item : items) body_ += fmt::format("<li>{}</li>\n", escape_html(item));
  body_ += "</ul>\n";
  return *this;
}

Html& Html::note(std::string_view text) {
  body_ += fmt::format("<p class=\"note\">{}</p>\n", escape_html(text));
  return *this;
}

Html& Html::code(std::string_view text) {
  body_ += fmt::format("<pre><code>{}</code></pre>\n", escape_html(text));
  return *this;
}

Html& Html::table(const Table& table, std::string_view caption) {
  if (!caption.empty()) body_ += fmt::format("<p class=\"caption\">{}</p>\n", escape_html(caption));
  body_ += fmt::format("<div class=\"scroll\">{}</div>\n", table.html());
  return *this;
}

Html& Html::cards(const std::vector<HtmlCard>& cards) {
  body_ += "<div class=\"cards\">\n";
  for (const HtmlCard& card : cards) {
    body_ += fmt::format("<div><span>{}</span><b>{}</b>", escape_html(card.label), escape_html(card.value));
    if (!card.note.empty()) body_ += fmt::format("<small>{}</small>", escape_html(card.note));
    body_ += "</div>\n";
  }
  body_ += "</div>\n";
  return *this;
}

Html& Html::image(const std::filesystem::path& path, std::string_view caption, std::string_view alt) {
  const std::string type = media_type(path);
  return image_bytes(read_file(path), type, caption, alt);
}

Html& Html::image_bytes(std::string_view bytes, std::string_view type, std::string_view caption, std::string_view alt) {
  body_ += fmt::format("<figure><img src=\"data:{};base64,{}\" alt=\"{}\">", type, base64(bytes), escape_html(alt));
  if (!caption.empty()) body_ += fmt::format("<figcaption>{}</figcaption>", escape_html(caption));
  body_ += "</figure>\n";
  return *this;
}

Html& Html::refresh(int seconds) {
  refresh_seconds_ = seconds;
  return *this;
}

std::string Html::text() const {
  constexpr std::size_t kContentsFrom = 3;  // sections; a shorter page needs no list of them
  std::string head = fmt::format("<h1>{}</h1>\n", escape_html(title_));
  if (!subtitle_.empty()) head += fmt::format("<p class=\"subtitle\">{}</p>\n", escape_html(subtitle_));
  if (headings_.size() >= kContentsFrom) {
    head += "<nav>";
    for (std::size_t i = 0; i < headings_.size(); ++i) {
      head += fmt::format("<a{} href=\"#section-{}\">{}</a>", headings_[i].part ? " class=\"part\"" : "", i + 1,
                          escape_html(headings_[i].text));
    }
    head += "</nav>\n";
  }
  const std::string again =
      refresh_seconds_ > 0 ? fmt::format("<meta http-equiv=\"refresh\" content=\"{}\">\n", refresh_seconds_) : "";
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{}"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n"
      "<style>{}</style>\n</head>\n<body>\n<main>\n{}{}</main>\n</body>\n</html>\n",
      again, escape_html(title_), kStyle, head, body_);
}

void Html::write(const std::filesystem::path& path) const { write_file(path, text()); }

}  // namespace filigree
