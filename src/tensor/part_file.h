#pragma once

#include <cstddef>
#include <filesystem>

/// A file that is written piece by piece and appears complete or not at all. No LibTorch here.
namespace filigree::tensor {

class PartFile {
 public:
  /// Begins to write beside `path`, making missing folders. Error where that cannot be.
  explicit PartFile(const std::filesystem::path& path);
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  /// Removes what was written, unless it was published.
  ~PartFile();

  /// Error where the bytes cannot be written (disk full).
  void write(const void* bytes, std::size_t count);

  /// Brings the bytes to the disk. Called by publish() where it was not before.
  void finish();

  /// Gives the file its name, replacing one that was there.
  void publish();

 private:
  [[noreturn]] void refuse(int error) const;

  std::filesystem::path path_;
  std::filesystem::path part_;
  int file_ = -1;
  bool published_ = false;
};

}  // namespace filigree::tensor
