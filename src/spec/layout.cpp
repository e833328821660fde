#include "spec/layout.h"

#include <algorithm>

namespace filigree::spec {
namespace {

template <class T>
bool contains(const std::vector<T>& list, T what) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

}  // namespace

std::string_view dtype_name(Dtype dtype) { return enum_name(dtype); }

double dtype_bytes(Dtype dtype) {
  switch (dtype) {
    case Dtype::fp32:
    case Dtype::tf32:
      return 4;
    case Dtype::bf16:
    case Dtype::fp16:
      return 2;
    case Dtype::fp8:
      return 1;
    case Dtype::fp4:
      return 0.5;
  }
  return 0;
}

bool Layout::overlaps(Overlap what) const { return contains(overlap, what); }
bool Layout::recomputes(Part what) const { return contains(recompute, what); }
bool Layout::swaps(Part what) const { return contains(swap, what); }

}  // namespace filigree::spec
