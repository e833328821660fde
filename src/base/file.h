#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// Files read whole and written atomically; recipes found by name.
namespace filigree {

/// The whole file. Error where it cannot be opened or read, or is a folder.
std::string read_file(const std::filesystem::path& path);

/// Writes to a neighbour and renames it, so that a reader sees the old file or the new one and never a part.
/// Makes missing folders. Error where the place cannot be written.
void write_file(const std::filesystem::path& path, std::string_view content);

/// The folder that holds recipes: $FILIGREE_RECIPES, else beside the program (build tree, install tree), else
/// ./recipes. Error where none exists.
std::filesystem::path recipes_folder();

/// A path to an existing file, or the recipe of that name: find_recipe("models", "deepseekv3").
/// Error lists what there is, with the nearest name.
std::filesystem::path find_recipe(std::string_view kind, const std::string& name_or_path);

/// Names of the recipes of one kind ("models", "clusters", …), sorted.
std::vector<std::string> recipe_names(std::string_view kind);

}  // namespace filigree
