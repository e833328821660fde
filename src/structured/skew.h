#pragma once

#include <vector>

#include "structured/fft.h"

namespace filigree::structured {

/// Every Hankel and Toeplitz matrix of a power of two n, by two transforms of length n.
///
/// The published factorisation embeds an n × n Toeplitz matrix in a circulant of length r = 2n and needs two transforms
/// of that length. A matrix that is circulant but for a factor -i on all that wraps around has room for the 2n - 1
/// entries of T in n complex numbers:
///
///     T = Re(D^* F_n^* diag(λ) F_n D) / n,   D = diag(exp(-iπ k / 2n))
///
/// with λ the eigenvalues, so a structured layer has 2n real numbers. A Hankel matrix is T with its rows reversed.
/// (The trick is the right-angle convolution of Crandall and Fagin: Discrete weighted transforms, 1994.)
///
/// Vectors are (n, lanes): element k of lane b at index k * lanes + b. λ is either one for all lanes (`shared`, an array
/// of n) or one for each lane ((n, lanes)).
class SkewProduct {
 public:
  /// Error where n is not a power of two.
  explicit SkewProduct(std::size_t n);

  std::size_t size() const { return fft_.size(); }
  std::size_t work_size(std::size_t lanes) const { return fft_.work_size(lanes); }

  /// λ of the Toeplitz matrix T_ij = t_{n - 1 - i + j} (t has 2n - 1 numbers). `work`: work_size(1).
  void spectrum(const double* t, Split lambda, double* work) const;

  /// The 2n - 1 numbers of the Toeplitz matrix whose λ this is: the reverse of spectrum().
  std::vector<double> symbol(ConstSplit lambda) const;

  /// u = D x, and y = Re(D^* v) / n: the parts of the next two that stand outside the transform.
  void twist(const double* x, Split u, std::size_t lanes) const;
  void untwist(ConstSplit v, double* y, std::size_t lanes) const;

  /// u = F D x. Only lanes and transforms: several λ may then be applied to one u.
  void analyse(const double* x, Split u, std::size_t lanes, double* work) const;

  /// y = Re(D^* F^* v) / n; destroys v. The adjoint of analyse, divided by n.
  void synthesise(Split v, double* y, std::size_t lanes, double* work) const;

  /// v = λ ⊙ u, or conj(λ) ⊙ u where `conjugate`.
  void scale(ConstSplit lambda, bool shared, bool conjugate, ConstSplit u, Split v, std::size_t lanes) const;

  /// Gradient with respect to λ, lane by lane: with g the gradient with respect to y and analysed (G = analyse(g)),
  /// grad = G ⊙ conj(u) / n, its real part belonging to Re λ and its imaginary part to Im λ. (n, lanes).
  void gradient(ConstSplit analysed, ConstSplit u, Split grad, std::size_t lanes) const;

  /// Operations of one product: two transforms, two diagonals D and one λ.
  std::size_t operations() const { return 2 * fft_.operations() + 2 * size() + 6 * size() + 4 * size(); }

 private:
  Fft fft_;
  std::vector<double> cos_, sin_;  // D_k = cos_k + i sin_k = exp(-iπ k / 2n)
};

}  // namespace filigree::structured
