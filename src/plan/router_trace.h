#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Measured loads of experts, as training runs export them: CSV with the columns step, layer, expert, tokens.
///
///     step,layer,expert,tokens
///     0,3,0,4
///     0,3,1,2
///     0,4,1,6
///
/// holds one step of the layers 3 and 4 with two experts: of six assignments, layer 3 gave four to expert 0 and two
/// to expert 1, layer 4 all to expert 1. Experts without a row got nothing.
namespace filigree::plan {

/// Assignments (token, expert) by step, layer and expert; every layer of a step has the same sum, since every token
/// picks the same number of experts in each.
class RouterTrace {
 public:
  /// Zeros for these steps and layers (their numbers, rising) and experts 0 … experts - 1.
  RouterTrace(std::vector<std::int64_t> steps, std::vector<std::int64_t> layers, std::int64_t experts);

  const std::vector<std::int64_t>& steps() const { return steps_; }
  const std::vector<std::int64_t>& layers() const { return layers_; }
  std::int64_t experts() const { return experts_; }

  /// Assignments to each expert of the step and the layer at these positions (not their numbers).
  std::span<std::int64_t> counts(std::size_t step, std::size_t layer);
  std::span<const std::int64_t> counts(std::size_t step, std::size_t layer) const;

  /// Sum over the experts of a layer.
  std::int64_t total(std::size_t step, std::size_t layer) const;

 private:
  std::vector<std::int64_t> steps_, layers_;
  std::int64_t experts_;
  std::vector<std::int64_t> counts_;  // step, layer, expert
};

/// Reads a trace. Rows may come in any order; other columns are passed over. `experts` is the number of experts, or 0
/// for one more than the largest id in the file.
/// Error, naming file and line, for a missing column, a number that is not whole or is negative, an expert out of
/// range and a row that appears twice; and where counts do not add up, that is, where the layers of a step have
/// unequal sums, or a step has none at all.
RouterTrace parse_router_trace(std::string_view text, const std::string& where, std::int64_t experts = 0);
RouterTrace read_router_trace(const std::filesystem::path& path, std::int64_t experts = 0);

/// CSV as read_router_trace takes it. Rows of zeros are left out, except for the last expert, which tells their number.
std::string to_csv(const RouterTrace& trace);
void write_router_trace(const std::filesystem::path& path, const RouterTrace& trace);

}  // namespace filigree::plan
