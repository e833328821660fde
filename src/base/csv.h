#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// CSV with a header, after RFC 4180: quoted fields may hold commas, quotes ("" for one) and line ends.
namespace filigree {

/// A table read from CSV. Messages name the file, the line in it and the column:
///
///     Csv csv = parse_csv("op,ms\nmatmul,1.5\n", "ops.csv");
///     csv.text(0, "op") == "matmul";  csv.number(0, "ms") == 1.5;
struct Csv {
  std::string where;                           // origin, for messages
  std::vector<std::string> header;             // column names without white space at the ends
  std::vector<std::vector<std::string>> rows;  // each as long as the header; fields as they stand
  std::vector<int> lines;                      // line of the file on which a row begins, from 1

  std::size_t num_rows() const { return rows.size(); }

  bool has_column(std::string_view name) const;

  /// Index of a column. Error, with the nearest name, where there is none.
  std::size_t column(std::string_view name) const;

  /// The field as it stands.
  const std::string& text(std::size_t row, std::string_view name) const;

  /// The field as a finite number, white space around it ignored. Error where it is none.
  double number(std::size_t row, std::string_view name) const;

  /// The field as a whole number ("1e6" and "3.0" are some too). Error where it is none.
  std::int64_t integer(std::size_t row, std::string_view name) const;

  /// As number(), but nullopt where the field is empty or "n/a".
  std::optional<double> optional_number(std::size_t row, std::string_view name) const;
};

/// Parses CSV. Lines that begin with '#' before the header (unless they have several fields, as many as the next line:
/// then they are the header) and blank lines anywhere are skipped; line ends are LF or
/// CRLF. Error where the header is missing or names a column twice, a row is longer or shorter than the header, or a
/// quote is out of place.
Csv parse_csv(std::string_view text, const std::string& where);

/// Reads and parses a file.
Csv read_csv(const std::filesystem::path& path);

/// The reverse of parse_csv, with LF line ends; quotes only where needed. Each row must be as long as the header.
std::string to_csv(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows);

}  // namespace filigree
