#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "language/shuffled.h"
#include "language/token_file.h"

/// Rows of tokens to train on. B rows, T tokens that are seen.
namespace filigree::language {

struct Batch {
  at::Tensor ids_BT1;     ///< int64, (B, T + 1): each token predicts the next one
  at::Tensor counted_BT;  ///< bool: whether the prediction of token t + 1 counts; undefined: all do
};

/// Where batches come from. A batch is given by its number alone, so that a run goes on at the exact sample.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual Batch batch(std::int64_t number) const = 0;
  virtual std::int64_t rows() const = 0;    ///< B
  virtual std::int64_t tokens() const = 0;  ///< T
};

struct Span {
  std::int64_t begin = 0, end = 0;
};

/// Windows of T + 1 tokens of a part of a token file, whose last token is the next one's first. In every pass over them
/// they come in another order, drawn from the seed and the number of the pass. Documents stand one behind the other and
/// a window may hold several; tokens see what is before them in the window, whatever document it is of.
class PackedBatches : public BatchSource {
 public:
  /// Error where the part does not hold one window.
  PackedBatches(const TokenFile& tokens, Span part, std::int64_t rows, std::int64_t length, std::uint64_t seed);

  Batch batch(std::int64_t number) const override;
  std::int64_t rows() const override { return rows_; }
  std::int64_t tokens() const override { return length_; }

  /// Windows in one pass.
  std::int64_t windows() const { return windows_; }

  /// Which window sample number `sample` is.
  std::int64_t window(std::int64_t sample) const { return order_(sample); }

 private:
  const TokenFile& tokens_;
  Span part_;
  std::int64_t rows_, length_, windows_;
  Shuffled order_;  ///< of the windows
};

}  // namespace filigree::language
