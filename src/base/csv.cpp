#include "base/csv.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace filigree {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct Record {
  std::vector<std::string> fields;
  int line = 0;
};

/// Splits CSV text into records.
class CsvScanner {
 public:
  CsvScanner(std::string_view text, const std::string& where) : text_(text), where_(where) {
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }

  /// Drops blank lines, and comment lines where `comments` is set. A '#' line with several fields, as many as the line
  /// after it, is a header ("# GPUs,hidden size").
  void skip(bool comments) {
    while (at_ < text_.size()) {
      const std::size_t end = std::min(text_.find('\n', at_), text_.size());
      const std::string_view line = text::trim(text_.substr(at_, end - at_));
      if (!line.empty() && !(comments && line.front() == '#')) return;
      const auto commas = std::count(line.begin(), line.end(), ',');
      const std::string_view rest = text_.substr(std::min(end + 1, text_.size()));
      const std::string_view next = rest.substr(0, rest.find('\n'));
      if (commas > 0 && !next.starts_with('#') && std::count(next.begin(), next.end(), ',') == commas) return;
      at_ = std::min(end + 1, text_.size());
      ++line_;
    }
  }

  bool at_end() const { return at_ >= text_.size(); }

  Record record() {
    Record record;
    record.line = line_;
    while (true) {
      column_ = record.fields.size() + 1;
      record.fields.push_back(peek() == '"' ? quoted() : plain());
      if (peek() != ',') break;
      ++at_;
    }
    end_line();
    return record;
  }

 private:
  char peek() const { return at_end() ? '\n' : text_[at_]; }

  /// At LF, at CRLF or at the end of the text, also after a last CR.
  bool at_line_end() const {
    if (peek() == '\n') return true;
    return peek() == '\r' && (at_ + 1 >= text_.size() || text_[at_ + 1] == '\n');
  }

  void end_line() {
    if (peek() == '\r') ++at_;
    if (!at_end()) ++at_;
    ++line_;
  }

  std::string plain() {
    const std::size_t begin = at_;
    while (!at_line_end() && peek() != ',') {
      if (peek() == '"') {
        fail(
            "{}: line {}, field {}: has a quote in the middle; put the whole field in quotes and write \"\" for a "
            "quote",
            where_, line_, column_);
      }
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string quoted() {
    const int first_line = line_;
    std::string field;
    for (++at_;; ++at_) {
      if (at_end()) fail("{}: line {}, field {}: the quote is never closed", where_, first_line, column_);
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        if (at_end() || text_[at_] != '"') break;
      }
      if (c == '\n') ++line_;
      field += c;
    }
    if (!at_line_end() && peek() != ',') {
      fail("{}: line {}, field {}: '{}' follows the closing quote, expected a comma or the end of the line", where_,
           line_, column_, peek());
    }
    return field;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
  std::size_t column_ = 1;
  int line_ = 1;
};

void check_header(const Csv& csv, int line) {
  for (std::size_t i = 0; i < csv.header.size(); ++i) {
    if (csv.header[i].empty()) fail("{}: line {}: column {} of the header has no name", csv.where, line, i + 1);
    if (std::find(csv.header.begin(), csv.header.begin() + static_cast<std::ptrdiff_t>(i), csv.header[i]) !=
        csv.header.begin() + static_cast<std::ptrdiff_t>(i)) {
      fail("{}: line {}: column '{}' appears twice in the header", csv.where, line, csv.header[i]);
    }
  }
}

void check_length(const Csv& csv, const Record& record) {
  const std::size_t expected = csv.header.size(), actual = record.fields.size();
  if (actual < expected) {
    fail("{}: line {}: column '{}' is missing; the row has {} fields, expected {}", csv.where, record.line,
         csv.header[actual], actual, expected);
  }
  if (actual > expected) {
    fail("{}: line {}: field {} ('{}') is beyond the last column '{}'; the row has {} fields, expected {}", csv.where,
         record.line, expected + 1, record.fields[expected], csv.header.back(), actual, expected);
  }
}

std::string quote_if_needed(const std::string& field) {
  const bool spaced = text::trim(field).size() != field.size();
  const bool begins_oddly =
      field.starts_with('#') || field.starts_with(kByteOrderMark);  // skipped at the start of a file
  const bool plain = !field.empty() && !begins_oddly && !spaced && field.find_first_of(",\"\r\n") == std::string::npos;
  if (plain) return field;
  std::string out = "\"";
  for (const char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace

bool Csv::has_column(std::string_view name) const {
  return std::find(header.begin(), header.end(), name) != header.end();
}

std::size_t Csv::column(std::string_view name) const {
  const auto it = std::find(header.begin(), header.end(), name);
  if (it == header.end()) {
    fail("{}: has no column '{}'{} (columns: {})", where, name, text::did_you_mean(name, header),
         text::join(header, ", "));
  }
  return static_cast<std::size_t>(it - header.begin());
}

const std::string& Csv::text(std::size_t row, std::string_view name) const {
  const std::size_t index = column(name);
  FILIGREE_ASSERT(row < rows.size());
  return rows[row][index];
}

double Csv::number(std::size_t row, std::string_view name) const {
  const std::string& field = text(row, name);
  const auto value = text::parse_double(text::trim(field));
  if (!value) fail("{}: line {}, column '{}': expected a number, got '{}'", where, lines[row], name, field);
  return *value;
}

std::int64_t Csv::integer(std::size_t row, std::string_view name) const {
  const std::string& field = text(row, name);
  if (const auto whole = text::parse_int(text::trim(field))) return *whole;
  const auto value = text::parse_double(text::trim(field));
  // Beyond 2^53 a double no longer holds every whole number.
  if (!value || std::nearbyint(*value) != *value || std::abs(*value) > 9007199254740992.0) {
    fail("{}: line {}, column '{}': expected a whole number, got '{}'", where, lines[row], name, field);
  }
  return static_cast<std::int64_t>(*value);
}

std::optional<double> Csv::optional_number(std::size_t row, std::string_view name) const {
  const std::string word = text::lower(text::trim(text(row, name)));
  if (word.empty() || word == "n/a") return std::nullopt;
  return number(row, name);
}

Csv parse_csv(std::string_view text, const std::string& where) {
  CsvScanner scanner(text, where);
  scanner.skip(true);
  if (scanner.at_end()) fail("{}: is empty, expected a line with column names", where);
  Csv csv;
  csv.where = where;
  const Record header = scanner.record();
  for (const std::string& name : header.fields) csv.header.emplace_back(text::trim(name));
  check_header(csv, header.line);
  for (scanner.skip(false); !scanner.at_end(); scanner.skip(false)) {
    Record record = scanner.record();
    check_length(csv, record);
    csv.rows.push_back(std::move(record.fields));
    csv.lines.push_back(record.line);
  }
  return csv;
}

Csv read_csv(const std::filesystem::path& path) { return parse_csv(read_file(path), path.string()); }

std::string to_csv(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
  std::string out;
  const auto line = [&](const std::vector<std::string>& fields) {
    FILIGREE_ASSERT(fields.size() == header.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) out += ',';
      // An empty field needs quotes only where it would be the whole, else blank, line.
      if (!fields[i].empty() || fields.size() == 1) out += quote_if_needed(fields[i]);
    }
    out += '\n';
  };
  line(header);
  for (const auto& row : rows) line(row);
  return out;
}

}  // namespace filigree
