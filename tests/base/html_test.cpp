#include "base/html.h"

#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/expect_error.h"

namespace filigree {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Html, EscapesTexts) {
  EXPECT_EQ(escape_html("<a b=\"c\">'&'</a>"), "&lt;a b=&quot;c&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}

// The examples of RFC 4648, section 10.
TEST(Html, WritesBase64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
}

TEST(Html, BuildsAPage) {
  Table table({"layout", "ms"});
  table.row({"tp<8>", "12"});
  Html page("Plan & cost", "for <6,144> devices");
  page.cards({{"step", "4.8 s"}, {"use", "31 %", "of peak"}})
      .section("Layouts")
      .subsection("The best")
      .paragraph("a < b")
      .note("assumed: 5 µs")
      .list({"one", "two & three"})
      .code("x --y \"z\"\n")
      .table(table, "Ranked.");
  const std::string text = page.text();
  EXPECT_TRUE(text.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
  EXPECT_TRUE(text.ends_with("</main>\n</body>\n</html>\n"));
  EXPECT_THAT(text, HasSubstr("<meta charset=\"utf-8\">"));
  EXPECT_THAT(text, HasSubstr("<title>Plan &amp; cost</title>"));
  EXPECT_THAT(text, HasSubstr("<h1>Plan &amp; cost</h1>\n<p class=\"subtitle\">for &lt;6,144&gt; devices</p>"));
  EXPECT_THAT(text, HasSubstr("<div><span>step</span><b>4.8 s</b></div>"));
  EXPECT_THAT(text, HasSubstr("<div><span>use</span><b>31 %</b><small>of peak</small></div>"));
  EXPECT_THAT(text, HasSubstr("<h2 id=\"section-1\">Layouts</h2>\n<h3>The best</h3>\n<p>a &lt; b</p>"));
  EXPECT_THAT(text, HasSubstr("<p class=\"note\">assumed: 5 µs</p>"));
  EXPECT_THAT(text, HasSubstr("<ul>\n<li>one</li>\n<li>two &amp; three</li>\n</ul>"));
  EXPECT_THAT(text, HasSubstr("<pre><code>x --y &quot;z&quot;\n</code></pre>"));
  EXPECT_THAT(text, HasSubstr("<p class=\"caption\">Ranked.</p>\n<div class=\"scroll\"><table>"));
  EXPECT_THAT(text, HasSubstr("<td>tp&lt;8&gt;</td><td class=\"num\">12</td>"));
  EXPECT_THAT(text, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_THAT(text, Not(HasSubstr("<script")));
  EXPECT_THAT(text, Not(HasSubstr("http")));
}

TEST(Html, ListsItsContentsFromThreeSectionsOn) {
  Html page("x");
  page.section("A&B").section("C");
  EXPECT_THAT(page.text(), Not(HasSubstr("<nav>")));
  page.section("D");
  EXPECT_THAT(page.text(), HasSubstr("<nav><a href=\"#section-1\">A&amp;B</a><a href=\"#section-2\">C</a>"
                                     "<a href=\"#section-3\">D</a></nav>"));
}

TEST(Html, PartsStandAboveSections) {
  Html page("x");
  page.part("First").section("A").part("Second");
  EXPECT_THAT(page.text(), HasSubstr("<h2 class=\"part\" id=\"section-1\">First</h2>\n<h2 id=\"section-2\">A</h2>"));
  EXPECT_THAT(page.text(), HasSubstr("<nav><a class=\"part\" href=\"#section-1\">First</a><a href=\"#section-2\">A</a>"
                                     "<a class=\"part\" href=\"#section-3\">Second</a></nav>"));
}

TEST(Html, EmbedsPictures) {
  const std::string base = testing::TempDir() + "filigree_html_test";
  for (const auto& [ending, type] : std::vector<std::pair<std::string, std::string>>{
           {".png", "image/png"}, {".jpg", "image/jpeg"}, {".JPEG", "image/jpeg"}, {".svg", "image/svg+xml"}}) {
    write_file(base + ending, "foobar");
    Html page("x");
    page.image(base + ending, "A \"caption\"", "what it \"shows\"");
    EXPECT_THAT(page.text(), HasSubstr("<figure><img src=\"data:" + type +
                                       ";base64,Zm9vYmFy\" alt=\"what it &quot;shows&quot;\">"
                                       "<figcaption>A &quot;caption&quot;</figcaption></figure>"));
    std::remove((base + ending).c_str());
  }
}

TEST(Html, NamesThePictureThatCannotBeEmbedded) {
  Html page("x");
  EXPECT_ERROR(page.image("plot.gif", "", ""),
               "plot.gif: cannot be embedded in a page; expected a file that ends in .png, .jpg, .jpeg or .svg");
  EXPECT_ERROR(page.image("no such plot.png", "", ""),
               "no such plot.png: cannot be opened (No such file or directory)");
  EXPECT_THAT(page.text(), Not(HasSubstr("<figure>")));
}

TEST(Html, IsWritten) {
  const std::string path = testing::TempDir() + "filigree_html_test.html";
  const Html page("x");
  page.write(path);
  EXPECT_EQ(read_file(path), page.text());
  std::remove(path.c_str());
  EXPECT_THROW(page.write("/dev/null/x.html"), Error);
}

}  // namespace
}  // namespace filigree
