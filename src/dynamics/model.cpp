#include "dynamics/model.h"

namespace filigree::dynamics {

void Model::check_forecast(const Matrix& past, Eigen::Index steps, Eigen::Index dimension) const {
  if (steps < 0) fail("the number of forecast steps must not be negative: {}", steps);
  if (past.cols() != dimension)
    fail("the {} model was fitted to {} coordinates, not {}", method(), dimension, past.cols());
  if (past.rows() < history()) {
    fail("the {} model needs {} samples before the forecast, there are {}", method(), history(), past.rows());
  }
}

Json matrix_json(const Matrix& matrix) {
  Json rows = Json::array();
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    Json row = Json::array();
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) row.push_back(matrix(i, j));
    rows.push_back(std::move(row));
  }
  return rows;
}

Matrix matrix_from_json(const Json& json, const std::string& where, const std::string& path) {
  std::vector<std::vector<double>> rows;
  detail::read_value(json, rows, any_value, where, path);
  const std::size_t columns = rows.empty() ? 0 : rows.front().size();
  Matrix matrix(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(columns));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].size() != columns) {
      fail("{}: {}[{}] has {} numbers where the first row has {}", where, path, i, rows[i].size(), columns);
    }
    for (std::size_t j = 0; j < columns; ++j) {
      matrix(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = rows[i][j];
    }
  }
  return matrix;
}

}  // namespace filigree::dynamics
