#include "demo_part.h"

#include "base/file.h"

namespace filigree::cli {

namespace fs = std::filesystem;

void write_part(const DemoPart& part, const fs::path& folder) {
  write_file(folder / "part.json", to_text(to_json(part)));
}

void add_part(Html& page, const DemoPart& part, const fs::path& folder) {
  for (const std::string& note : part.notes) page.note(note);
  for (const std::string& paragraph : part.paragraphs) page.paragraph(paragraph);
  for (const DemoPicture& picture : part.pictures) page.image(folder / picture.file, picture.caption, picture.alt);
  if (part.sample.empty()) return;
  page.subsection(part.sample_title).code(part.sample);
}

}  // namespace filigree::cli
