#include "train/run_folder.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/lines.h"

namespace filigree::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kPart = ".part";

std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const auto step = text::parse_int(name.substr(kPrefix.size()));
  return step && *step >= 0 ? step : std::nullopt;
}

/// Renames; a rename within one folder either happens or does not.
void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code code;
  fs::rename(from, to, code);
  if (code) fail("{}: cannot be made ({})", to.string(), code.message());
}

}  // namespace

RunFolder RunFolder::create(const fs::path& folder, const Json& resolved) {
  if (fs::exists(folder / "resolved.json")) {
    fail("{}: holds a run already; go on with it by --resume, or choose another folder", folder.string());
  }
  write_file(folder / "resolved.json", to_text(resolved));
  return RunFolder(folder);
}

RunFolder RunFolder::open(const fs::path& folder) {
  if (!fs::exists(folder / "resolved.json")) {
    fail("{}: holds no run; a run is a folder with resolved.json, as training makes it", folder.string());
  }
  return RunFolder(folder);
}

Json RunFolder::resolved() const { return load_json(path_ / "resolved.json"); }

void RunFolder::log(const Json& line) const {
  const fs::path file = path_ / "metrics.jsonl";
  const auto close = [](std::FILE* f) { std::fclose(f); };
  const std::unique_ptr<std::FILE, decltype(close)> out(std::fopen(file.c_str(), "ab"), close);
  const std::string text = line.dump() + "\n";
  if (!out || std::fwrite(text.data(), 1, text.size(), out.get()) != text.size() || std::fflush(out.get()) != 0) {
    fail("{}: cannot be written ({})", file.string(), std::strerror(errno));
  }
}

std::vector<Json> RunFolder::metrics() const {
  std::vector<Json> lines;
  const fs::path file = path_ / "metrics.jsonl";
  if (!fs::exists(file)) return lines;
  for (const TextLine& line : read_lines(file)) {
    if (line.ended) lines.push_back(parse_json(line.text, line.where));
  }
  return lines;
}

void RunFolder::forget_after(std::int64_t step) const {
  std::string kept;
  for (const Json& line : metrics()) {
    if (line.contains("step") && line["step"].is_number_integer() && line["step"].get<std::int64_t>() > step) continue;
    kept += line.dump();
    kept += '\n';
  }
  write_file(path_ / "metrics.jsonl", kept);
}

fs::path RunFolder::checkpoint(std::int64_t step) const {
  return path_ / "checkpoints" / fmt::format("{}{:08}", kPrefix, step);
}

std::vector<std::int64_t> RunFolder::checkpoints() const {
  std::vector<std::int64_t> steps;
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_ / "checkpoints", code)) {
    if (const auto step = step_of(entry.path().filename().string())) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<std::int64_t> RunFolder::latest() const {
  const std::vector<std::int64_t> all = checkpoints();
  return all.empty() ? std::nullopt : std::optional(all.back());
}

void RunFolder::save(std::int64_t step, const std::function<void(const fs::path&)>& write, std::int64_t keep) const {
  const fs::path place = checkpoint(step);
  const fs::path part = fs::path(place).concat(kPart);
  std::error_code code;
  fs::remove_all(part, code);
  try {
    fs::create_directories(part, code);
    if (code) fail("{}: the folder cannot be made ({})", part.string(), code.message());
    write(part);
    fs::remove_all(place, code);  // of the same step, made before a resume
    rename_folder(part, place);
  } catch (const Error& error) {
    fs::remove_all(part, code);
    const auto last = latest();
    const std::string rest =
        last ? fmt::format("the checkpoint of step {} is kept", *last) : std::string("there is no earlier one");
    fail("the checkpoint of step {} cannot be written: {}; {}", step, error.what(), rest);
  }
  if (keep <= 0) return;
  std::vector<std::int64_t> all = checkpoints();
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < all.size(); ++i) {
    // Renamed first: a half-removed folder must not look like a checkpoint.
    const fs::path old = checkpoint(all[i]), gone = fs::path(old).concat(".old");
    fs::rename(old, gone, code);
    if (!code) fs::remove_all(gone, code);
  }
}

}  // namespace filigree::train
