#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <system_error>

#include <unistd.h>

#include "base/error.h"
#include "base/text.h"

namespace filigree {
namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::error_code code;
  if (fs::is_directory(path, code)) fail("{}: is a folder, expected a file", path.string());
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("{}: cannot be opened ({})", path.string(), std::strerror(errno));
  std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) fail("{}: cannot be read", path.string());
  return content;
}

void write_file(const fs::path& path, std::string_view content) {
  std::error_code code;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), code);
  if (code) fail("{}: the folder cannot be made ({})", path.parent_path().string(), code.message());
  const fs::path part = fs::path(path).concat(fmt::format(".part{}", ::getpid()));
  {
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.flush();
    if (!out) {
      const std::string reason = std::strerror(errno);
      out.close();
      fs::remove(part, code);
      fail("{}: cannot be written ({})", path.string(), reason);
    }
  }
  fs::rename(part, path, code);
  if (code) {
    const std::string reason = code.message();
    fs::remove(part, code);
    fail("{}: cannot be written ({})", path.string(), reason);
  }
}

fs::path recipes_folder() {
  std::vector<fs::path> places;
  if (const char* chosen = std::getenv("FILIGREE_RECIPES")) places.emplace_back(chosen);
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code);
  if (!code) {
    const fs::path folder = program.parent_path();
    places.push_back(folder / ".." / "share" / "filigree" / "recipes");
    // In the build tree the program is at build/<preset>/bin, tests deeper.
    fs::path up = folder;
    for (int level = 0; level < 5 && up.has_parent_path(); ++level, up = up.parent_path())
      places.push_back(up / "recipes");
  }
  places.emplace_back("recipes");
  for (const fs::path& place : places) {
    if (fs::is_directory(place / "models", code)) return place.lexically_normal();
  }
  fail("no folder with recipes was found; set FILIGREE_RECIPES to the 'recipes' folder of the sources");
}

std::vector<std::string> recipe_names(std::string_view kind) {
  std::vector<std::string> names;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(recipes_folder() / kind, code)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

fs::path find_recipe(std::string_view kind, const std::string& name_or_path) {
  std::error_code code;
  if (fs::is_regular_file(name_or_path, code)) return name_or_path;
  if (fs::is_directory(name_or_path, code) && fs::is_regular_file(fs::path(name_or_path) / "config.json", code)) {
    return fs::path(name_or_path) / "config.json";
  }
  const bool is_name = name_or_path.find('/') == std::string::npos;
  const fs::path recipe = recipes_folder() / kind / (text::lower(name_or_path) + ".json");
  if (is_name && fs::is_regular_file(recipe, code)) return recipe;
  const std::vector<std::string> names = recipe_names(kind);
  fail("no file and no recipe in {} is called '{}'{} (there are: {})", kind, name_or_path,
       text::did_you_mean(name_or_path, names), text::join(names, ", "));
}

}  // namespace filigree
