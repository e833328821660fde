#include "tensor/part_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

namespace filigree::tensor {
namespace fs = std::filesystem;

PartFile::PartFile(const fs::path& path)
    : path_(path), part_(fs::path(path).concat(fmt::format(".part{}", ::getpid()))) {
  std::error_code code;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), code);
  if (code) fail("{}: the folder cannot be made ({})", path.parent_path().string(), code.message());
  if (fs::is_directory(path, code)) fail("{}: is a folder, so no file can be written there", path.string());
  file_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file_ < 0) refuse(errno);
}

PartFile::~PartFile() {
  if (file_ >= 0) ::close(file_);
  std::error_code code;
  if (!published_) fs::remove(part_, code);
}

void PartFile::refuse(int error) const { fail("{}: cannot be written ({})", path_.string(), std::strerror(error)); }

void PartFile::write(const void* bytes, std::size_t count) {
  FILIGREE_ASSERT(file_ >= 0);
  // Linux writes at most 2 GiB at a time.
  constexpr std::size_t kMost = std::size_t{1} << 30;
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    const ::ssize_t written = ::write(file_, at, std::min(count, kMost));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse(errno);
    at += written;
    count -= static_cast<std::size_t>(written);
  }
}

void PartFile::finish() {
  if (file_ < 0) return;
  const int synced = ::fsync(file_);
  const int error = errno;
  const int closed = ::close(std::exchange(file_, -1));
  // Some file systems cannot sync; a network file system may tell of a full disk only at the end.
  if (synced != 0 && error != EINVAL && error != ENOTSUP) refuse(error);
  if (closed != 0) refuse(errno);
}

void PartFile::publish() {
  finish();
  std::error_code code;
  fs::rename(part_, path_, code);
  if (code) fail("{}: cannot be written ({})", path_.string(), code.message());
  published_ = true;
}

}  // namespace filigree::tensor
