#include "tensor/mapped_file.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace filigree::tensor {
namespace {

struct Descriptor {
  int number;
  explicit Descriptor(int n) : number(n) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

/// The whole pages around (or, for `inner`, within) some bytes.
void advise(char* data, std::size_t begin, std::size_t count, bool inner, int advice) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t from = (inner ? begin + page - 1 : begin) / page * page;
  const std::size_t to = inner ? (begin + count) / page * page : begin + count;
  if (to > from) ::madvise(data + from, to - from, advice);  // advice only: no matter if it is not taken
}

}  // namespace

std::shared_ptr<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number < 0) fail("{}: cannot be opened ({})", path.string(), std::strerror(errno));
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail("{}: cannot be read ({})", path.string(), std::strerror(errno));
  if (S_ISDIR(status.st_mode)) fail("{}: is a folder, expected a file", path.string());
  if (!S_ISREG(status.st_mode)) fail("{}: is not a regular file, so it cannot be mapped into memory", path.string());
  const auto size = static_cast<std::size_t>(status.st_size);
  // An empty file has nothing to map.
  if (size == 0) return std::shared_ptr<MappedFile>(new MappedFile(nullptr, 0));
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.number, 0);
  if (data == MAP_FAILED) fail("{}: cannot be mapped into memory ({})", path.string(), std::strerror(errno));
  return std::shared_ptr<MappedFile>(new MappedFile(static_cast<char*>(data), size));
}

void MappedFile::will_need(std::size_t begin, std::size_t count) const {
  advise(data_, begin, count, false, MADV_WILLNEED);
}

void MappedFile::forget(std::size_t begin, std::size_t count) const {
  advise(data_, begin, count, true, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace filigree::tensor
