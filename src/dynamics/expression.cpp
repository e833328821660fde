#include "dynamics/expression.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/text.h"

namespace filigree::dynamics {
namespace {

constexpr int kDeepest = 32;  // values waiting during an evaluation, and parentheses within parentheses
constexpr std::size_t kLongest = 4096;

}  // namespace

enum class Expression::Op : std::uint8_t {
  number,
  variable,
  add,
  subtract,
  multiply,
  divide,
  power,
  atan2,
  max,
  min,
  negate,
  square,
  abs,
  acos,
  asin,
  atan,
  cos,
  cosh,
  exp,
  log,
  sign,
  sin,
  sinh,
  sqrt,
  tan,
  tanh
};

class ExpressionParser {
 public:
  using Op = Expression::Op;

  ExpressionParser(Expression& out, const std::vector<std::string>& variables)
      : out_(out), text_(out.text_), variables_(variables) {}

  void run() {
    if (text_.size() > kLongest) fail("a formula may have {} characters, this one has {}", kLongest, text_.size());
    sum();
    if (!at_end()) trouble(fmt::format("'{}' does not belong here", text_[at_]));
  }

 private:
  struct Function {
    std::string_view name;
    Op op;
    int arguments;
  };
  static constexpr std::array<Function, 17> kFunctions{{{"abs", Op::abs, 1},
                                                        {"acos", Op::acos, 1},
                                                        {"asin", Op::asin, 1},
                                                        {"atan", Op::atan, 1},
                                                        {"atan2", Op::atan2, 2},
                                                        {"cos", Op::cos, 1},
                                                        {"cosh", Op::cosh, 1},
                                                        {"exp", Op::exp, 1},
                                                        {"log", Op::log, 1},
                                                        {"max", Op::max, 2},
                                                        {"min", Op::min, 2},
                                                        {"sign", Op::sign, 1},
                                                        {"sin", Op::sin, 1},
                                                        {"sinh", Op::sinh, 1},
                                                        {"sqrt", Op::sqrt, 1},
                                                        {"tan", Op::tan, 1},
                                                        {"tanh", Op::tanh, 1}}};

  [[noreturn]] void trouble(const std::string& what) const {
    fail("formula '{}', column {}: {}", text_, at_ + 1, what);
  }

  bool at_end() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    return at_ == text_.size();
  }

  bool take(char symbol) {
    if (at_end() || text_[at_] != symbol) return false;
    ++at_;
    return true;
  }

  void emit(Op op, int variable = 0, double number = 0) {
    if (op == Op::number || op == Op::variable) {
      if (++waiting_ > kDeepest) trouble(fmt::format("more than {} values wait for an operation", kDeepest));
    } else if (op >= Op::add && op <= Op::min) {
      --waiting_;
    }
    out_.steps_.push_back({op, variable, number});
  }

  void sum() {
    if (++depth_ > kDeepest) trouble(fmt::format("more than {} levels of parentheses", kDeepest));
    product();
    while (true) {
      const bool plus = take('+');
      if (!plus && !take('-')) break;
      product();
      emit(plus ? Op::add : Op::subtract);
    }
    --depth_;
  }

  void product() {
    unary();
    while (true) {
      const bool times = take('*');
      if (!times && !take('/')) return;
      unary();
      emit(times ? Op::multiply : Op::divide);
    }
  }

  void unary() {
    bool minus = false;
    while (true) {
      if (take('-'))
        minus = !minus;
      else if (!take('+'))
        break;
    }
    power();
    if (minus) emit(Op::negate);
  }

  void power() {
    primary();
    if (!take('^')) return;
    if (++depth_ > kDeepest) trouble(fmt::format("more than {} powers of powers", kDeepest));
    const std::size_t before = out_.steps_.size();
    unary();
    --depth_;
    const bool is_square =
        out_.steps_.size() == before + 1 && out_.steps_.back().op == Op::number && out_.steps_.back().number == 2;
    if (!is_square) return emit(Op::power);
    out_.steps_.pop_back();
    --waiting_;
    emit(Op::square);
  }

  void primary() {
    if (at_end()) trouble("a number, variable, function or '(' is missing here");
    const char first = text_[at_];
    if (take('(')) {
      sum();
      if (!take(')')) trouble("')' is missing here");
    } else if (std::isdigit(static_cast<unsigned char>(first)) || first == '.') {
      number();
    } else if (std::isalpha(static_cast<unsigned char>(first)) || first == '_') {
      name();
    } else {
      trouble(fmt::format("'{}' does not belong here", first));
    }
  }

  void number() {
    std::size_t end = at_;
    const auto digits = [&] {
      while (end < text_.size() && (std::isdigit(static_cast<unsigned char>(text_[end])) || text_[end] == '.')) ++end;
    };
    digits();
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      ++end;
      if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
      digits();
    }
    const std::string_view word = std::string_view(text_).substr(at_, end - at_);
    const auto value = text::parse_double(word);
    if (!value) trouble(fmt::format("'{}' is not a number", word));
    at_ = end;
    emit(Op::number, 0, *value);
  }

  void name() {
    std::size_t end = at_;
    while (end < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[end])) || text_[end] == '_')) ++end;
    const std::string word = text_.substr(at_, end - at_);
    const std::size_t start = at_;
    at_ = end;
    if (take('(')) return call(word, start);
    const auto variable = std::find(variables_.begin(), variables_.end(), word);
    if (variable != variables_.end()) return emit(Op::variable, static_cast<int>(variable - variables_.begin()));
    if (word == "pi") return emit(Op::number, 0, std::numbers::pi);
    at_ = start;
    trouble(fmt::format("there is no variable '{}'{} (variables: {})", word, text::did_you_mean(word, variables_),
                        text::join(variables_, ", ")));
  }

  void call(const std::string& word, std::size_t start) {
    const auto* const function =
        std::find_if(kFunctions.begin(), kFunctions.end(), [&](const Function& f) { return f.name == word; });
    if (function == kFunctions.end()) {
      std::vector<std::string> names;
      for (const Function& f : kFunctions) names.emplace_back(f.name);
      at_ = start;
      trouble(fmt::format("there is no function '{}'{} (functions: {})", word, text::did_you_mean(word, names),
                          text::join(names, ", ")));
    }
    sum();
    for (int i = 1; i < function->arguments; ++i) {
      if (!take(',')) trouble(fmt::format("{} takes {} arguments: ',' is missing here", word, function->arguments));
      sum();
    }
    if (!take(')')) trouble("')' is missing here");
    emit(function->op);
  }

  Expression& out_;
  const std::string& text_;
  const std::vector<std::string>& variables_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int waiting_ = 0;
};

Expression::Expression(std::string_view text, const std::vector<std::string>& variables) : text_(text::trim(text)) {
  ExpressionParser(*this, variables).run();
}

double Expression::operator()(const double* inputs) const {
  std::array<double, kDeepest + 1> stack{};  // the first is never used
  double* top = stack.data();
  for (const Step& step : steps_) {
    if (step.op >= Op::add && step.op <= Op::min) --top;
    switch (step.op) {
      case Op::number:
        *++top = step.number;
        break;
      case Op::variable:
        *++top = inputs[step.variable];
        break;
      case Op::add:
        *top += top[1];
        break;
      case Op::subtract:
        *top -= top[1];
        break;
      case Op::multiply:
        *top *= top[1];
        break;
      case Op::divide:
        *top /= top[1];
        break;
      case Op::power:
        *top = std::pow(*top, top[1]);
        break;
      case Op::atan2:
        *top = std::atan2(*top, top[1]);
        break;
      case Op::max:
        *top = std::fmax(*top, top[1]);
        break;
      case Op::min:
        *top = std::fmin(*top, top[1]);
        break;
      case Op::negate:
        *top = -*top;
        break;
      case Op::square:
        *top *= *top;
        break;
      case Op::abs:
        *top = std::abs(*top);
        break;
      case Op::acos:
        *top = std::acos(*top);
        break;
      case Op::asin:
        *top = std::asin(*top);
        break;
      case Op::atan:
        *top = std::atan(*top);
        break;
      case Op::cos:
        *top = std::cos(*top);
        break;
      case Op::cosh:
        *top = std::cosh(*top);
        break;
      case Op::exp:
        *top = std::exp(*top);
        break;
      case Op::log:
        *top = std::log(*top);
        break;
      case Op::sign:
        *top = static_cast<double>(*top > 0) - static_cast<double>(*top < 0);
        break;
      case Op::sin:
        *top = std::sin(*top);
        break;
      case Op::sinh:
        *top = std::sinh(*top);
        break;
      case Op::sqrt:
        *top = std::sqrt(*top);
        break;
      case Op::tan:
        *top = std::tan(*top);
        break;
      case Op::tanh:
        *top = std::tanh(*top);
        break;
    }
  }
  return *top;
}

std::int64_t Expression::operations() const {
  return std::count_if(steps_.begin(), steps_.end(), [](const Step& step) { return step.op >= Op::add; });
}

}  // namespace filigree::dynamics
