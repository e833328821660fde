#include "language/inspect.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "moe/balance.h"

/// B sequences, T tokens (N = B T of them), E experts, K chosen, D hidden.
namespace filigree::language {
namespace {

/// Sums over the tokens of one layer and domain.
struct Sums {
  std::int64_t tokens = 0;
  at::Tensor count_E, both_EE, weight_K;  ///< float64, on the CPU
  double entropy = 0, routed = 0;
  std::optional<double> shared;

  void add(const moe::Layer::Result& result) {
    const moe::Routing& routing = result.routing;
    const at::Tensor score_NE = routing.score_TE.to(at::kDouble);
    const std::int64_t experts = score_NE.size(1);
    const at::Tensor share_NE = score_NE / score_NE.sum(-1, true).clamp_min(1e-300);
    const at::Tensor used_NE = at::zeros_like(score_NE).scatter(-1, routing.expert_TK, 1.0);
    tokens += score_NE.size(0);
    accumulate(count_E, used_NE.sum(0));
    accumulate(both_EE, used_NE.t().matmul(used_NE));
    accumulate(weight_K, routing.weight_TK.to(at::kDouble).sum(0));
    const double even = std::log(static_cast<double>(experts));
    if (even > 0) entropy -= at::xlogy(share_NE, share_NE).sum().item<double>() / even;
    const at::Tensor y_ND = result.y_TD.to(at::kDouble);
    const at::Tensor shared_ND = result.shared_TD.defined() ? result.shared_TD.to(at::kDouble) : at::Tensor();
    routed += (shared_ND.defined() ? y_ND - shared_ND : y_ND).norm(2, -1).sum().item<double>();
    if (shared_ND.defined()) shared = shared.value_or(0) + shared_ND.norm(2, -1).sum().item<double>();
  }

  void add(const Sums& other) {
    tokens += other.tokens;
    accumulate(count_E, other.count_E);
    accumulate(both_EE, other.both_EE);
    accumulate(weight_K, other.weight_K);
    entropy += other.entropy;
    routed += other.routed;
    if (other.shared) shared = shared.value_or(0) + *other.shared;
  }

 private:
  static void accumulate(at::Tensor& sum, const at::Tensor& more) {
    sum = sum.defined() ? sum + more.cpu() : more.cpu().clone();
  }
};

std::vector<double> numbers(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

ExpertUse use_of(const Sums& sums) {
  ExpertUse use;
  const auto tokens = static_cast<double>(sums.tokens);
  use.tokens = sums.tokens;
  for (const double count : numbers(sums.count_E)) use.count.push_back(std::llround(count));
  use.share = numbers(sums.count_E / sums.count_E.sum());
  use.variation = moe::load_variation(sums.count_E);
  use.entropy = sums.entropy / tokens;
  use.weight = numbers(sums.weight_K / tokens);
  use.routed = sums.routed / tokens;
  if (sums.shared) use.shared = *sums.shared / tokens;
  return use;
}

std::vector<std::vector<double>> together(const Sums& all) {
  const at::Tensor each_E = all.count_E / static_cast<double>(all.tokens);
  const at::Tensor both_EE = all.both_EE / static_cast<double>(all.tokens);
  at::Tensor ratio_EE = both_EE / (each_E.unsqueeze(0) * each_E.unsqueeze(1));
  ratio_EE.fill_diagonal_(std::numeric_limits<double>::quiet_NaN());
  std::vector<std::vector<double>> rows;
  for (std::int64_t e = 0; e < ratio_EE.size(0); ++e) rows.push_back(numbers(ratio_EE.select(0, e)));
  return rows;
}

void check(const Model& model, const std::vector<Domain>& domains, const InspectOptions& options) {
  FILIGREE_ASSERT(options.window >= 1 && options.batch >= 1);
  const spec::Model& m = model.config().model;
  if (model.expert_layers().empty()) fail("{} has no layer with experts to inspect", m.name);
  if (domains.empty()) fail("there is no text to inspect the experts with");
  std::set<std::string> labels;
  for (const Domain& domain : domains) {
    if (!labels.insert(domain.label).second) {
      fail("two texts are called '{}'; give them names of their own, as in LABEL=FILE", domain.label);
    }
    if (domain.ids.empty()) fail("{}: is empty; there is nothing to inspect the experts with", domain.label);
    for (std::size_t i = 0; i < domain.ids.size(); ++i) {
      const std::int64_t id = domain.ids[i];
      if (id >= 0 && id < m.vocabulary) continue;
      fail("{}: token {} has the id {}, which is not within the model's 0 … {}; is this its tokenizer?", domain.label,
           i, id, m.vocabulary - 1);
    }
  }
}

/// Cuts tokens into full windows, several at a time, and what remains.
std::vector<at::Tensor> batches(const std::vector<std::int64_t>& ids, std::int64_t window, std::int64_t batch) {
  const at::Tensor all = at::tensor(at::ArrayRef<std::int64_t>(ids), at::kLong);
  const std::int64_t full = all.numel() / window;
  std::vector<at::Tensor> out;
  for (std::int64_t i = 0; i < full; i += batch) {
    const std::int64_t rows = std::min(batch, full - i);
    out.push_back(all.narrow(0, i * window, rows * window).view({rows, window}));
  }
  const std::int64_t rest = all.numel() - full * window;
  if (rest > 0) out.push_back(all.narrow(0, full * window, rest).unsqueeze(0));
  return out;
}

/// Results of every layer with experts, those of multi-token prediction last.
std::vector<moe::Layer::Result> run(const Model& model, const at::Tensor& ids_BT) {
  std::vector<moe::Layer::Result> results;
  Pass pass;
  pass.expert_results = &results;
  const Output out = model.forward(ids_BT, pass);
  const std::int64_t tokens = ids_BT.size(1) - 1;
  if (model.has_predictor() && tokens > 0) {
    model.predict(ids_BT.narrow(1, 1, tokens), out.hidden_BTD.narrow(1, 0, tokens), pass);
  }
  return results;
}

/// sums[layer] over one domain.
std::vector<Sums> run_domain(const Model& model, const Domain& domain, const InspectOptions& options,
                             Progress& progress) {
  const std::int64_t positions = model.config().model.max_positions;
  const std::int64_t window = positions > 0 ? std::min(options.window, positions) : options.window;
  std::vector<Sums> sums(model.expert_layers().size());
  for (const at::Tensor& ids_BT : batches(domain.ids, window, options.batch)) {
    if (cancelled()) fail("the inspection was stopped");
    const std::vector<moe::Layer::Result> results = run(model, ids_BT.to(model.device()));
    for (std::size_t i = 0; i < results.size(); ++i) sums[i].add(results[i]);
    progress.advance(ids_BT.numel());
  }
  return sums;
}

double entropy_bits(const std::vector<double>& share) {
  double sum = 0;
  for (const double p : share) sum -= p > 0 ? p * std::log2(p) : 0;
  return sum;
}

std::vector<std::vector<double>> shares_of(const LayerUse& layer) {
  std::vector<std::vector<double>> shares;
  for (const ExpertUse& use : layer.domains) shares.push_back(use.share);
  return shares;
}

void measure_distances(Inspection& inspection) {
  const std::size_t domains = inspection.labels.size();
  inspection.distance.assign(domains, std::vector<double>(domains, 0));
  for (std::size_t a = 0; a < domains; ++a) {
    for (std::size_t b = 0; b < domains; ++b) {
      double sum = 0;
      for (const LayerUse& layer : inspection.layers) {
        if (a != b) sum += jensen_shannon({layer.domains[a].share, layer.domains[b].share});
      }
      inspection.distance[a][b] = sum / static_cast<double>(inspection.layers.size());
    }
  }
}

}  // namespace

double jensen_shannon(const std::vector<std::vector<double>>& shares) {
  if (shares.empty()) return 0;
  const auto count = static_cast<double>(shares.size());
  std::vector<double> mean(shares.front().size(), 0);
  double inner = 0;
  for (const std::vector<double>& share : shares) {
    FILIGREE_ASSERT(share.size() == mean.size());
    for (std::size_t e = 0; e < mean.size(); ++e) mean[e] += share[e] / count;
    inner += entropy_bits(share) / count;
  }
  return std::max(0.0, entropy_bits(mean) - inner);
}

Domain read_domain(const text::Tokenizer& tokenizer, const std::string& words, std::int64_t longest) {
  const std::size_t equals = words.find('=');
  const bool labelled = equals != std::string::npos;
  const std::filesystem::path path = labelled ? words.substr(equals + 1) : words;
  Domain domain;
  domain.label = labelled ? words.substr(0, equals) : path.filename().string();
  if (domain.label.empty()) fail("'{}': the label before '=' is empty; expected LABEL=FILE", words);
  const std::string content = read_file(path);
  text::check_utf8(content, path.string());
  const std::vector<text::TokenId> ids = tokenizer.encode(content, {.add_special = false});
  if (ids.empty()) fail("{}: is empty; there is nothing to inspect the experts with", path.string());
  domain.ids.assign(ids.begin(), ids.end());
  if (longest > 0 && domain.ids.size() > static_cast<std::size_t>(longest)) {
    domain.ids.resize(static_cast<std::size_t>(longest));
  }
  return domain;
}

Inspection inspect(const Model& model, const std::vector<Domain>& domains, const InspectOptions& options) {
  check(model, domains, options);
  const c10::NoGradGuard no_grad;
  const spec::Model& m = model.config().model;
  Inspection inspection;
  inspection.model = m.name;
  inspection.experts = m.experts->routed;
  inspection.top_k = model.config().router.top_k;
  const auto experts = static_cast<double>(inspection.experts), top_k = static_cast<double>(inspection.top_k);
  inspection.random_together = experts > 1 ? experts * (top_k - 1) / (top_k * (experts - 1)) : 0;
  std::int64_t tokens = 0;
  for (const Domain& domain : domains) tokens += static_cast<std::int64_t>(domain.ids.size());
  Progress progress(options.progress, tokens, "tokens");
  std::vector<std::vector<Sums>> sums;  // of each domain and layer
  for (const Domain& domain : domains) {
    inspection.labels.push_back(domain.label);
    sums.push_back(run_domain(model, domain, options, progress));
  }
  const std::vector<std::int64_t> layers = model.expert_layers();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    // One token is too few for multi-token prediction, whose layer then has nothing to show.
    if (std::any_of(sums.begin(), sums.end(), [i](const auto& of) { return of[i].tokens == 0; })) continue;
    LayerUse layer;
    layer.layer = layers[i];
    layer.predictor = layers[i] >= m.layers;
    Sums all;
    for (const std::vector<Sums>& of : sums) {
      layer.domains.push_back(use_of(of[i]));
      all.add(of[i]);
    }
    layer.all = use_of(all);
    layer.together = together(all);
    if (domains.size() > 1) {
      layer.specialisation = jensen_shannon(shares_of(layer)) / std::log2(static_cast<double>(domains.size()));
    }
    inspection.layers.push_back(std::move(layer));
  }
  if (inspection.layers.empty()) fail("the texts are too short to run the experts of {}", m.name);
  measure_distances(inspection);
  return inspection;
}

}  // namespace filigree::language
