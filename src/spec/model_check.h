#pragma once

#include <string>

#include "spec/dit.h"
#include "spec/model.h"

/// Models that cannot exist.
namespace filigree::spec {

/// Error with one sentence where the fields contradict one another (top_k above the number of experts, a pattern of
/// another length than the layers, no feed-forward width, …) or a size is beyond all bounds. `where` begins the message.
void check_model(const Model& model, const std::string& where);
void check_model(const Dit& dit, const std::string& where);

}  // namespace filigree::spec
