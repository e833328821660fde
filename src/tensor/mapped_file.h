#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string_view>

/// A file seen as memory. No LibTorch here.
namespace filigree::tensor {

class MappedFile {
 public:
  /// Error where the file cannot be opened or mapped, or is a folder.
  static std::shared_ptr<MappedFile> open(const std::filesystem::path& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  /// The pages are private: who writes to them changes neither the file nor what others see of it.
  char* data() { return data_; }
  std::size_t size() const { return size_; }
  std::string_view bytes() const { return {data_, size_}; }

  /// Advice to the system about some of the bytes: they are read soon; they are not needed for now, so that their pages
  /// no longer count as this program's. What was written to such pages is lost.
  void will_need(std::size_t begin, std::size_t count) const;
  void forget(std::size_t begin, std::size_t count) const;

 private:
  MappedFile(char* data, std::size_t size) : data_(data), size_(size) {}

  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace filigree::tensor
