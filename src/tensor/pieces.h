#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

namespace filigree::tensor {

/// Fills a tensor by rows: fill(first, count, out) writes the rows' float32 numbers, in the order of the tensor's shape
/// (a row: everything behind the first axis; a tensor without axes is one row). Rows are shared out among threads. Only
/// some of them are held beside a tensor of another type or on another device.
void fill_rows(const at::Tensor& destination, std::int64_t rows,
               const std::function<void(std::int64_t, std::int64_t, float*)>& fill);

}  // namespace filigree::tensor
