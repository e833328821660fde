#include "plan/search_space.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/json.h"
#include "base/overrides.h"
#include "base/text.h"
#include "spec/layout_text.h"
#include "spec/resolve.h"

namespace filigree::plan {
namespace {

using spec::Dispatcher;
using spec::Part;
using spec::Schedule;

constexpr std::string_view kFine = "norms/activation/qkv-up";

bool is_file(const std::string& text) {
  std::error_code code;
  return std::filesystem::is_regular_file(text, code);
}

std::string parts_text(const std::vector<Part>& parts) {
  if (parts.empty()) return "none";
  std::vector<std::string> names;
  for (const Part part : parts) names.emplace_back(enum_name(part));
  return text::join(names, "/");
}

std::vector<std::int64_t> powers_of_two(std::int64_t last) {
  std::vector<std::int64_t> out;
  for (std::int64_t power = 1; power <= last; power *= 2) out.push_back(power);
  return out;
}

std::vector<std::int64_t> divisors(std::int64_t count, std::int64_t last) {
  std::vector<std::int64_t> out;
  for (std::int64_t divisor = 1; divisor <= std::min(count, last); ++divisor) {
    if (count % divisor == 0) out.push_back(divisor);
  }
  return out;
}

/// Lists for every setting, from the sizes of model and cluster.
SearchSpace suggested(const SpaceInputs& in) {
  constexpr std::int64_t kLongest = 4096;  // tokens of a sequence on one device, beyond which cp is tried
  SearchSpace space;
  const std::int64_t node = in.cluster.tiers.empty() ? 1 : std::max<std::int64_t>(1, in.cluster.tiers.front().devices);
  const spec::Layout& base = in.base.layout;
  space.tp = powers_of_two(std::min(node, in.devices));
  space.pp = divisors(in.devices, spec::pipeline_layers(base, in.model));
  space.vpp = {1, 2, 3, 4};
  space.cp = powers_of_two(std::clamp<std::int64_t>(base.seq / kLongest, 1, 64));
  space.mbs = {1, 2, 4, 8};
  space.schedule = {Schedule::one_f_one_b, Schedule::interleaved, Schedule::zero_bubble, Schedule::dualpipe_v};
  space.split = {Split::even, Split::noop, Split::balanced};
  space.zero = {1, 2, 3};
  space.offload_optimizer = {false, true};
  space.context = {base.context};
  space.ep = space.etp = {1};
  space.tp_extends_ep = {false};
  space.recompute = {"none", std::string(kFine), "layer"};
  space.swap = {"none"};
  space.dispatcher = {base.dispatcher};
  if (in.model.experts) {
    space.ep = divisors(in.model.experts->routed, in.devices);
    space.etp = powers_of_two(std::min(node, in.devices));
    space.tp_extends_ep = {false, true};
    const std::string fine(kFine);
    space.recompute = {"none", fine, "permute", fine + "/permute", fine + "/permute/experts", "layer"};
    space.swap = {"none", "experts"};
    space.dispatcher = {Dispatcher::all_to_all, Dispatcher::all_gather, Dispatcher::hierarchical,
                        Dispatcher::deduplicated};
  }
  return space;
}

/// Visits two spaces field by field.
template <class Function>
class PairVisitor {
 public:
  PairVisitor(std::vector<void*> others, Function function) : others_(std::move(others)), function_(function) {}
  template <class T>
  void optional(std::string_view name, T& list, std::string_view, Bounds = any_value) {
    function_(std::string(name), list, *static_cast<T*>(others_[next_++]));
  }

 private:
  std::vector<void*> others_;
  Function function_;
  std::size_t next_ = 0;
};

struct Addresses {
  template <class T>
  void optional(std::string_view, T& list, std::string_view, Bounds = any_value) {
    fields.push_back(&list);
  }
  std::vector<void*> fields;
};

/// function(name, list of a, list of b) for every field.
template <class Function>
void for_each_pair(SearchSpace& a, SearchSpace& b, Function function) {
  Addresses addresses;
  SearchSpace::visit(b, addresses);
  PairVisitor<Function> visitor(std::move(addresses.fields), function);
  SearchSpace::visit(a, visitor);
}

/// The base's own values, as lists of one.
SearchSpace values_of(const spec::Layout& l) {
  SearchSpace space;
  space.tp = {l.tp}, space.pp = {l.pp}, space.vpp = {l.vpp}, space.cp = {l.cp}, space.ep = {l.ep};
  space.etp = {l.etp}, space.mbs = {l.mbs}, space.zero = {l.zero};
  space.tp_extends_ep = {l.tp_extends_ep};
  space.schedule = {l.schedule};
  space.split = {Split::even};
  space.recompute = {parts_text(l.recompute)};
  space.swap = {parts_text(l.swap)};
  space.dispatcher = {l.dispatcher};
  space.context = {l.context};
  space.offload_optimizer = {l.offload_optimizer};
  return space;
}

template <class T>
void drop_repeats(std::vector<T>& list) {
  std::vector<T> once;
  for (const auto& value : list) {
    if (std::find(once.begin(), once.end(), value) == once.end()) once.push_back(value);
  }
  list = std::move(once);
}

}  // namespace

bool SearchBase::fixes(const std::string& key) const {
  if (key == "split") return fixes("stages") || fixes("noop_layers");
  return std::find(fixed.begin(), fixed.end(), key) != fixed.end();
}

SearchBase parse_base(const std::string& text_or_path) {
  SearchBase base;
  base.layout = spec::parse_layout(text_or_path);
  if (is_file(text_or_path)) {
    const Json json = load_json(text_or_path);
    for (const auto& [key, value] : json.items()) base.fixed.push_back(key);
  } else {
    for (const auto& [key, value] : parse_pairs(text_or_path, "layout")) base.fixed.push_back(key);
  }
  return base;
}

SearchSpace parse_space(const std::string& text_or_path) {
  if (is_file(text_or_path)) return load_config<SearchSpace>(text_or_path);
  if (!text::trim(text_or_path).empty() && text_or_path.find('=') == std::string::npos) {
    fail("search space '{}' is neither a file nor of the form tp=4+8,pp=8+16,…", text_or_path);
  }
  SearchSpace space;
  apply_overrides(space, parse_pairs(text_or_path, "search space"), "search space");
  return space;
}

std::vector<Part> parse_parts(const std::string& text) {
  if (text == "none") return {};
  if (text == "fine") return parse_parts(std::string(kFine));
  std::vector<Part> parts;
  for (const std::string& word : text::split(text, '/')) {
    const auto part = enum_from_name<Part>(word);
    if (!part) {
      std::vector<std::string> known = enum_all_names<Part>();
      known.insert(known.begin(), {"none", "fine"});
      fail("search space: '{}' is not a part of a layer{} (parts: {})", word, text::did_you_mean(word, known),
           text::join(known, ", "));
    }
    parts.push_back(*part);
  }
  drop_repeats(parts);
  std::sort(parts.begin(), parts.end());
  return parts;
}

SearchSpace complete_space(SearchSpace space, const SpaceInputs& inputs) {
  SearchSpace standard = suggested(inputs), fixed = values_of(inputs.base.layout);
  for_each_pair(space, fixed, [&](const std::string& name, auto& list, auto& value) {
    if (!inputs.base.fixes(name)) return;
    if (!list.empty()) fail("search space: '{}' is listed, but the layout fixes it; leave one of the two out", name);
    list = value;
  });
  for_each_pair(space, standard, [](const std::string&, auto& list, auto& value) {
    if (list.empty()) list = value;
    drop_repeats(list);
  });
  for (auto* sets : {&space.recompute, &space.swap}) {
    for (std::string& set : *sets) {
      std::vector<Part> parts = parse_parts(set);
      const auto of_experts = [](Part part) { return part == Part::permute || part == Part::experts; };
      if (!inputs.model.experts) std::erase_if(parts, of_experts);
      set = parts_text(parts);
    }
    drop_repeats(*sets);
  }
  return space;
}

}  // namespace filigree::plan
