#pragma once

#include <Eigen/Core>

/// The plain twins: matrices written out, for tests, for small sizes and for comparison.
namespace filigree::structured {

/// F_jk = exp(-2πi jk / n).
Eigen::MatrixXcd dft_matrix(Eigen::Index n);

/// F of a power of two by its published factors, F_2n = P^T (I_2 ⊗ F_n) H_2n with H_2n = [[I, I], [D, -D]],
/// D = diag(exp(-2πi k / 2n)) and P the even-then-odd permutation (decimation in frequency), recursed down to n = 1.
Eigen::MatrixXcd dft_by_factors(Eigen::Index n);

/// C_ij = c_{(i - j) mod n}.
Eigen::MatrixXd circulant_matrix(const Eigen::VectorXd& column);

/// T_ij = t_{n - 1 - i + j}, from 2n - 1 numbers; t_{n-1} stands on the diagonal.
Eigen::MatrixXd toeplitz_matrix(const Eigen::VectorXd& symbol);

/// H_ij = h_{i + j}, from 2n - 1 numbers.
Eigen::MatrixXd hankel_matrix(const Eigen::VectorXd& symbol);

}  // namespace filigree::structured
