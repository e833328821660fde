#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "language/model.h"
#include "text/tokenizer.h"

/// What the experts of a model do on texts, as in the behaviour study of arXiv 2505.04519: how they are used, whether they
/// specialise in domains, which are used together, and how strong they are against the shared expert.
namespace filigree::language {

/// The tokens of one kind of text.
struct Domain {
  std::string label;
  std::vector<std::int64_t> ids;
};

/// Reads "FILE" or "LABEL=FILE" (a file whose name has '=' needs a label). The label is else the name of the file without
/// folder. At most `longest` tokens are kept; 0: all.
/// Error for a file that cannot be read, is not UTF-8 or gives no token.
Domain read_domain(const text::Tokenizer& tokenizer, const std::string& words, std::int64_t longest = 0);

struct InspectOptions {
  std::int64_t window = 512;  ///< tokens a sequence; the model's positions if these are fewer
  std::int64_t batch = 4;     ///< sequences at once
  ProgressSink* progress = nullptr;
};

/// One layer on one domain.
struct ExpertUse {
  std::int64_t tokens = 0;
  std::vector<std::int64_t> count;  ///< (token, expert) pairs of each expert, by the router's choice
  std::vector<double> share;        ///< of the pairs
  double variation = 0;             ///< standard deviation of the counts over their mean
  double entropy = 0;               ///< of a token's scores, divided by their sum; over log E: 1 all equal, 0 one only
  std::vector<double> weight;       ///< mean weight of a token's first, second, … expert
  double routed = 0;                ///< mean length of the routed experts' output of a token
  std::optional<double> shared;     ///< the same of the shared expert's; nullopt where there is none
};

struct LayerUse {
  std::int64_t layer = 0;  ///< those of multi-token prediction are counted on behind the last
  bool predictor = false;
  std::vector<ExpertUse> domains;
  ExpertUse all;  ///< over all tokens of all domains
  /// Jensen-Shannon divergence of the domains' shares, each domain counting the same, over its greatest value log n:
  /// 0 the same experts everywhere, 1 no expert in two domains. 0 for one domain.
  double specialisation = 0;
  /// For each pair of experts the share of tokens that use both, over the product of the shares that use each; not a number
  /// where one is never used. 1 if independent; experts that are drawn at random without regard to the token have
  /// `random_together`, which is less, since no expert is drawn twice. On the diagonal not a number.
  std::vector<std::vector<double>> together;
};

struct Inspection {
  std::string model;
  std::int64_t experts = 0, top_k = 0;
  std::vector<std::string> labels;
  std::vector<LayerUse> layers;
  double random_together = 0;  ///< E (K - 1) / (K (E - 1))
  /// Jensen-Shannon divergence of two domains in bits (0 … 1), in the mean over the layers.
  std::vector<std::vector<double>> distance;
};

/// Runs the model over the domains. Error for no domain, one without tokens, two of one label, a token outside the
/// vocabulary, a model without experts, or work that is cancelled.
Inspection inspect(const Model& model, const std::vector<Domain>& domains, const InspectOptions& options = {});

/// Jensen-Shannon divergence of distributions in bits, each counting the same (Lin 1991, eq. 5.1).
double jensen_shannon(const std::vector<std::vector<double>>& shares);

}  // namespace filigree::language
