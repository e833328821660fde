#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Tensor.h>

/// Processes that work together. Code is written for a group; one process is a group of size one, whose operations return
/// what they are given, so that one way through the code serves the laptop and the cluster.
namespace filigree::parallel {

/// How several processes talk to each other. There is none in this version: programs run as one process.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::int64_t rank() const = 0;
  virtual std::int64_t size() const = 0;
  virtual at::Tensor sum(const at::Tensor& x) const = 0;
};

/// A value: copies stand for the same processes.
class Group {
 public:
  /// This process alone.
  Group() = default;

  explicit Group(std::shared_ptr<const Backend> backend);

  std::int64_t rank() const { return backend_ ? backend_->rank() : 0; }
  std::int64_t size() const { return backend_ ? backend_->size() : 1; }

  /// The sum of every process' tensor (all of one shape), outside any graph. Of one process: x itself.
  at::Tensor sum(const at::Tensor& x) const { return size() == 1 ? x : backend_->sum(x); }

 private:
  std::shared_ptr<const Backend> backend_;
};

}  // namespace filigree::parallel
