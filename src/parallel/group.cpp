#include "parallel/group.h"

#include <utility>

#include "base/error.h"

namespace filigree::parallel {

Group::Group(std::shared_ptr<const Backend> backend) : backend_(std::move(backend)) {
  FILIGREE_ASSERT(backend_ != nullptr && backend_->size() >= 1 && backend_->rank() < backend_->size());
}

}  // namespace filigree::parallel
