#pragma once

#include <string>

#include "language/model.h"

namespace filigree::test {

/// The config.json of a model of some thousand parameters: "pangu", "deepseek" or "qwen".
Json small_config(const std::string& family);

/// It with random weights.
language::Model small_model(const std::string& family);

}  // namespace filigree::test
