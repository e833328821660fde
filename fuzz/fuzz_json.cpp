#include "base/json.h"
#include "spec/cluster.h"
#include "spec/count.h"
#include "spec/hf_config.h"
#include "spec/layout.h"
#include "support.h"

/// Any text as JSON, and what is JSON as each thing that a file can describe.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace filigree;
  Json json;
  bool parsed = false;
  fuzz::refuse_or_read([&] {
    json = parse_json(fuzz::as_text(data, size), "input");
    parsed = true;
  });
  if (!parsed) return 0;
  fuzz::refuse_or_read([&] { from_json<spec::Cluster>(json, "input"); });
  fuzz::refuse_or_read([&] {
    const auto layout = from_json<spec::Layout>(json, "input");
    fuzz::require(from_json<spec::Layout>(to_json(layout), "output") == layout);
  });
  fuzz::refuse_or_read([&] {
    const spec::Model model = spec::model_from_json(json, "input");
    fuzz::require(spec::count(model).total > 0);
    fuzz::require(std::isfinite(spec::model_flops_per_token(model, 4096)));
  });
  fuzz::refuse_or_read([&] { fuzz::require(spec::count(spec::dit_from_json(json, "input")).total > 0); });
  fuzz::refuse_or_read([&] { spec::any_model_from_json(json, "input"); });
  return 0;
}
