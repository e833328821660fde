#include "dynamics/analog.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "dynamics/nearest.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

/// What is saved.
struct AnalogFile {
  std::string method = "analog";
  AnalogOptions options;
  DelayFrame frame;
  std::vector<std::vector<double>> inputs, increments;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("method", self.method, "analog");
    v.required("options", self.options, "settings");
    v.required("frame", self.frame, "coordinates and delay vector");
    v.required("inputs", self.inputs, "delay vectors in columns");
    v.required("increments", self.increments, "what followed them");
  }
};

class AnalogModel final : public DelayModel {
 public:
  AnalogModel(DelayFrame frame, AnalogOptions options, const Matrix& inputs, Matrix increments)
      : DelayModel(std::move(frame)), options_(options), nearest_(inputs), increments_(std::move(increments)) {}

  std::string method() const override { return "analog"; }

  Cost cost() const override {
    const std::int64_t pairs = nearest_.count(), size = frame_.delay.count * frame_.dimension();
    return {pairs * (size + frame_.dimension()), pairs * (2 * size + 4)};
  }

  std::vector<std::string> describe() const override {
    return {fmt::format("mean of {} analogs among {} delay vectors of {}", options_.neighbours, nearest_.count(),
                        dynamics::describe(frame_.delay))};
  }

  Json to_json() const override {
    return filigree::to_json(AnalogFile{"analog", options_, frame_, rows_of(nearest_.vectors()), rows_of(increments_)});
  }

 protected:
  Predictor predictor() const override {
    return [this, search = Nearest::Search()](const Vector& input, Vector& increment) mutable {
      nearest_.find(input, options_.neighbours, search);
      const double limit = search.found[static_cast<std::size_t>(options_.neighbours)].first;
      double total = 0;
      increment.setZero();
      for (std::size_t i = 0; i < static_cast<std::size_t>(options_.neighbours); ++i) {
        // The weight falls to 0 at the first one that is left out, so that the forecast is continuous.
        const double weight = 1 - search.found[i].first / (limit + std::numeric_limits<double>::min()) + 1e-12;
        increment += weight * increments_.col(search.found[i].second);
        total += weight;
      }
      increment /= total;
    };
  }

 private:
  AnalogOptions options_;
  Nearest nearest_;
  Matrix increments_;  // (coordinates, pairs)
};

}  // namespace

ModelPtr fit_analog(const Dataset& data, const AnalogOptions& options) {
  data.check(1);
  DelayFrame frame = delay_frame(data, options.delay, 0.1);
  DelayPairs pairs = delay_pairs(data, frame.normaliser(), options.delay, {});
  if (pairs.inputs.cols() <= options.neighbours) {
    fail("{} neighbours need {} delay vectors, the data has {}", options.neighbours, options.neighbours + 1,
         pairs.inputs.cols());
  }
  return std::make_unique<AnalogModel>(std::move(frame), options, pairs.inputs, std::move(pairs.increments));
}

ModelPtr load_analog(const Json& json, const std::string& where) {
  AnalogFile file = from_json<AnalogFile>(json, where);
  file.frame.check(where);
  const Index dimension = file.frame.dimension();
  const Matrix inputs = matrix_of(file.inputs, where + ": inputs", file.frame.delay.count * dimension);
  if (inputs.cols() <= file.options.neighbours) {
    fail("{}: {} neighbours need {} delay vectors, there are {}", where, file.options.neighbours,
         file.options.neighbours + 1, inputs.cols());
  }
  Matrix increments = matrix_of(file.increments, where + ": increments", dimension, inputs.cols());
  return std::make_unique<AnalogModel>(std::move(file.frame), file.options, inputs, std::move(increments));
}

}  // namespace filigree::dynamics
