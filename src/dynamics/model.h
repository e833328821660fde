#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "dynamics/data.h"

/// What every fitted method can do.
namespace filigree::dynamics {

/// What one forecast step costs: numbers that were fitted, and arithmetic operations (a multiplication, an addition or
/// a transcendental function count one each).
struct Cost {
  std::int64_t parameters = 0;
  std::int64_t operations = 0;
};

/// A method after fitting. Immutable: forecasts may run in several threads at once.
class Model {
 public:
  virtual ~Model() = default;

  /// "sindy", "stnn", …: the name that the command line uses.
  virtual std::string method() const = 0;

  /// Samples before the first forecast that it needs, at least 1.
  virtual Eigen::Index history() const { return 1; }

  /// The next samples.
  ///
  /// past:     (at least history(), coordinates), the newest sample last
  /// steps:    how many samples, >= 0
  /// controls: (samples, controls), row i being the control at the i-th sample *from the newest of `past` on*, at least
  ///           `steps` rows; ignored by a system that is not driven
  /// returns   (steps, coordinates). A forecast that leaves all bounds ends in rows of NaN; it never throws for that.
  /// Error     where `past` is too short, or the method cannot forecast at all (HAVOK without forcing).
  virtual Matrix forecast(const Matrix& past, Eigen::Index steps, const Matrix& controls) const = 0;
  Matrix forecast(const Matrix& past, Eigen::Index steps) const { return forecast(past, steps, Matrix()); }

  virtual Cost cost() const = 0;

  /// What was found, for people: equations, eigenvalues, settings; one line each.
  virtual std::vector<std::string> describe() const = 0;

  /// All that a program needs to forecast again; "method" is its first key. load_model() reads it.
  virtual Json to_json() const = 0;

 protected:
  /// Error unless there is enough history and, for a driven system, enough controls.
  void check_forecast(const Matrix& past, Eigen::Index steps, Eigen::Index dimension) const;
};

using ModelPtr = std::unique_ptr<const Model>;

/// Matrices as JSON: a list of rows. matrix_from_json names `where` and `path` in its sentence.
Json matrix_json(const Matrix& matrix);
Matrix matrix_from_json(const Json& json, const std::string& where, const std::string& path);

}  // namespace filigree::dynamics
