#include "plan/load_text.h"

#include "base/error.h"
#include "base/text.h"

namespace filigree::plan {

using spec::LoadKind;

spec::Load parse_load(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  const std::string value = colon == std::string::npos ? "" : text.substr(colon + 1);
  const auto known = enum_from_name<LoadKind>(kind);
  if (!known) {
    fail("load '{}' is not known{} (balanced, uniform, zipf:0.5, dirichlet:5, trace:FILE)", text,
         text::did_you_mean(kind, enum_all_names<LoadKind>()));
  }
  spec::Load load;
  load.kind = *known;
  if (load.kind == LoadKind::trace) {
    if (value.empty()) fail("load 'trace' needs a file of counts: trace:FILE");
    load.trace = value;
  } else if (load.kind == LoadKind::zipf || load.kind == LoadKind::dirichlet) {
    const auto number = text::parse_double(value);
    const bool zipf = load.kind == LoadKind::zipf;
    if (!number || *number < 0 || (!zipf && *number == 0)) {
      fail("load '{}' needs {} after the colon, such as {}", text,
           zipf ? "an exponent of 0 or more" : "a concentration greater than 0", zipf ? "zipf:0.5" : "dirichlet:5");
    }
    load.parameter = *number;
  } else if (colon != std::string::npos) {
    fail("load '{}' takes nothing after the colon", text);
  }
  return load;
}

std::string load_text(const spec::Load& load) {
  const std::string kind(enum_name(load.kind));
  if (load.kind == LoadKind::trace) return kind + ":" + load.trace;
  if (load.kind == LoadKind::zipf || load.kind == LoadKind::dirichlet)
    return fmt::format("{}:{}", kind, load.parameter);
  return kind;
}

}  // namespace filigree::plan
