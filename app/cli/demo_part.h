#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/html.h"
#include "base/json.h"
#include "base/visit.h"

/// What a demonstration of filigree-torch leaves for the report page of `filigree demo`: part.json beside its pictures.
/// No LibTorch here.
namespace filigree::cli {

struct DemoPicture {
  std::string file;  ///< in the part's folder
  std::string caption, alt;
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("file", self.file, "name in the folder");
    v.required("caption", self.caption, "what to see in it");
    v.required("alt", self.alt, "what it shows, in words");
  }
};

struct DemoPart {
  std::string title;
  std::vector<std::string> paragraphs;
  std::vector<std::string> notes;  ///< that stand out: what is random, synthetic or assumed
  std::string sample_title, sample;
  std::vector<DemoPicture> pictures;
  double seconds = 0;
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("title", self.title, "heading");
    v.optional("paragraphs", self.paragraphs, "text");
    v.optional("notes", self.notes, "what is random, synthetic or assumed");
    v.optional("sample_title", self.sample_title, "heading of the sample");
    v.optional("sample", self.sample, "text to show as it is");
    v.optional("pictures", self.pictures, "files and what they show");
    v.optional("seconds", self.seconds, "that it took");
  }
};

/// Writes part.json.
void write_part(const DemoPart& part, const std::filesystem::path& folder);

/// Runs `filigree-torch <group> demo --output folder`, whose output goes where this program's goes, and reads what it
/// left. Nothing where this build has no LibTorch, or where the demonstration was stopped. Error where it fails.
std::optional<DemoPart> run_torch_demo(const std::string& group, const std::filesystem::path& folder);

/// Adds it to a page; its pictures are read from the folder.
void add_part(Html& page, const DemoPart& part, const std::filesystem::path& folder);

}  // namespace filigree::cli
