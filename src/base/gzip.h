#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

/// Files compressed by gzip (RFC 1952).
namespace filigree {

/// The content of gzip data, all members of it one after another. `where` is named in messages. Error where it is
/// damaged, ends early or unpacks to more than `limit` bytes.
std::string gunzip(std::string_view bytes, const std::string& where, std::size_t limit = std::size_t{1} << 30);

/// A file's content, unpacked if its name ends in ".gz". Error as gunzip() and read_file().
std::string read_unpacked(const std::filesystem::path& path);

}  // namespace filigree
