#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

/// Where a run leaves what it makes:
///
///     RUN/resolved.json       every setting, from which the run can be repeated
///     RUN/metrics.jsonl       one JSON object a line: what was measured at a step
///     RUN/live.html           curves, renewed while it runs
///     RUN/checkpoints/step-00000100/…
///
/// No LibTorch here.
namespace filigree::train {

class RunFolder {
 public:
  /// A new run. Error where the folder holds one already, or cannot be made.
  static RunFolder create(const std::filesystem::path& folder, const Json& resolved);

  /// One that is there. Error where it holds no run.
  static RunFolder open(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }

  /// The settings it was created with.
  Json resolved() const;

  /// Appends a line to metrics.jsonl and brings it to the file at once.
  void log(const Json& line) const;

  /// All lines. One that was cut off by a crash is left out.
  std::vector<Json> metrics() const;

  /// Takes away lines with a step beyond this one: they will be made again.
  void forget_after(std::int64_t step) const;

  /// The folder of a checkpoint, whether it exists or not.
  std::filesystem::path checkpoint(std::int64_t step) const;

  /// Steps of complete checkpoints, ascending.
  std::vector<std::int64_t> checkpoints() const;
  std::optional<std::int64_t> latest() const;

  /// Makes a checkpoint: `write` fills a folder, which gets its name only when it is complete. Afterwards all but the
  /// last `keep` are removed (0: none is). Where `write` fails nothing is left of it, and older ones stay.
  void save(std::int64_t step, const std::function<void(const std::filesystem::path&)>& write, std::int64_t keep) const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

}  // namespace filigree::train
