#include "dynamics/library.h"

#include <cmath>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

constexpr std::size_t kMost = 20000;

/// "x^2 y" for the exponents (2, 1).
std::string product_name(const std::vector<int>& factors, const std::vector<std::string>& variables) {
  std::string name;
  for (std::size_t i = 0; i < factors.size();) {
    std::size_t end = i;
    while (end < factors.size() && factors[end] == factors[i]) ++end;
    if (!name.empty()) name += ' ';
    name += variables[static_cast<std::size_t>(factors[i])];
    if (end - i > 1) name += fmt::format("^{}", end - i);
    i = end;
  }
  return name;
}

}  // namespace

Library::Library(const LibraryOptions& options, const std::vector<std::string>& variables)
    : num_variables_(static_cast<Eigen::Index>(variables.size())) {
  add_products(options, variables);
  add_waves(options.frequencies, variables);
  for (const std::string& formula : options.custom) {
    formulas_.emplace_back(formula, variables);
    names_.push_back(formulas_.back().text());
  }
  if (names_.empty()) fail("the library has no feature: allow the constant, a degree, frequencies or a formula");
}

void Library::add_products(const LibraryOptions& options, const std::vector<std::string>& variables) {
  struct Term {
    int feature;
    std::vector<int> factors;  // indices of variables, ascending
  };
  std::vector<Term> level{{-1, {}}};
  if (options.constant) {
    products_.push_back({-1, -1});
    names_.emplace_back("1");
  }
  for (int degree = 1; degree <= options.degree; ++degree) {
    std::vector<Term> next;
    for (const Term& term : level) {
      const int first = term.factors.empty() ? 0 : term.factors.back();
      const int last = term.factors.empty() || options.interactions ? static_cast<int>(num_variables_) : first + 1;
      for (int v = first; v < last; ++v) {
        std::vector<int> factors = term.factors;
        factors.push_back(v);
        names_.push_back(product_name(factors, variables));
        next.push_back({static_cast<int>(products_.size()), std::move(factors)});
        products_.push_back({term.feature, v});
        if (names_.size() > kMost) fail("the library has more than {} features: lower the degree", kMost);
      }
    }
    level = std::move(next);
  }
}

void Library::add_waves(int frequencies, const std::vector<std::string>& variables) {
  for (int k = 1; k <= frequencies; ++k) {
    for (int v = 0; v < static_cast<int>(num_variables_); ++v) {
      for (const bool cosine : {false, true}) {
        waves_.push_back({v, static_cast<double>(k), cosine});
        names_.push_back(
            fmt::format("{}({} {})", cosine ? "cos" : "sin", k, variables[static_cast<std::size_t>(v)]));
      }
    }
  }
}

void Library::evaluate(const double* inputs, double* features) const {
  double* out = features;
  for (const Product& p : products_) {
    const double factor = p.variable < 0 ? 1.0 : inputs[p.variable];
    *out++ = p.parent < 0 ? factor : features[p.parent] * factor;
  }
  for (const Wave& wave : waves_) {
    const double angle = wave.frequency * inputs[wave.variable];
    *out++ = wave.cosine ? std::cos(angle) : std::sin(angle);
  }
  for (const Expression& formula : formulas_) *out++ = formula(inputs);
}

void Library::evaluate(const Eigen::Ref<const Matrix>& inputs, Eigen::Ref<Matrix> features) const {
  FILIGREE_ASSERT(inputs.cols() == num_variables_ && features.cols() == size() && features.rows() == inputs.rows());
  Eigen::Index column = 0;
  for (const Product& p : products_) {
    auto out = features.col(column++);
    if (p.variable < 0)
      out.setOnes();
    else if (p.parent < 0)
      out = inputs.col(p.variable);
    else
      out = features.col(p.parent).cwiseProduct(inputs.col(p.variable));
  }
  for (const Wave& wave : waves_) {
    const auto angle = wave.frequency * inputs.col(wave.variable).array();
    if (wave.cosine)
      features.col(column++).array() = angle.cos();
    else
      features.col(column++).array() = angle.sin();
  }
  if (formulas_.empty()) return;
  std::vector<double> row(static_cast<std::size_t>(num_variables_));
  for (Eigen::Index i = 0; i < inputs.rows(); ++i) {
    for (Eigen::Index v = 0; v < num_variables_; ++v) row[static_cast<std::size_t>(v)] = inputs(i, v);
    for (std::size_t f = 0; f < formulas_.size(); ++f) {
      features(i, column + static_cast<Eigen::Index>(f)) = formulas_[f](row.data());
    }
  }
}

std::int64_t Library::operations() const {
  std::int64_t count = 0;
  for (const Product& p : products_) count += p.parent >= 0 ? 1 : 0;
  for (const Wave& wave : waves_) count += wave.frequency == 1 ? 1 : 2;
  for (const Expression& formula : formulas_) count += formula.operations();
  return count;
}

std::vector<bool> Library::with_factors(std::vector<bool> wanted) const {
  FILIGREE_ASSERT(wanted.size() == names_.size());
  for (std::size_t i = products_.size(); i-- > 0;) {
    if (wanted[i] && products_[i].parent >= 0) wanted[static_cast<std::size_t>(products_[i].parent)] = true;
  }
  return wanted;
}

Library Library::only(const std::vector<bool>& kept) const {
  FILIGREE_ASSERT(kept == with_factors(kept));
  Library result;
  result.num_variables_ = num_variables_;
  std::vector<int> place(products_.size(), -1);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!kept[i]) continue;
    result.names_.push_back(names_[i]);
    if (i < products_.size()) {
      place[i] = static_cast<int>(result.products_.size());
      const int parent = products_[i].parent;
      result.products_.push_back({parent < 0 ? -1 : place[static_cast<std::size_t>(parent)], products_[i].variable});
    } else if (i < products_.size() + waves_.size()) {
      result.waves_.push_back(waves_[i - products_.size()]);
    } else {
      result.formulas_.push_back(formulas_[i - products_.size() - waves_.size()]);
    }
  }
  return result;
}

}  // namespace filigree::dynamics
