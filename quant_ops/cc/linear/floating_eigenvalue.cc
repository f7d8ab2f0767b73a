// Power iteration with the loops of the steps.
#include <algorithm>
#include <cmath>

#include "floating_solver.h"
#include "power_iteration.h"

namespace quant_ops::linear {

template <class Real>
double FloatingSolver<Real>::largest_eigenvalue(int64_t first, int64_t m) {
  const Rows<Real> data = rows(first, m);
  Array<Real> dots(m + kRowBlock), vector(padded_), sums(padded_);
  write_first_vector(Real{1}, columns_, vector.data());
  double norm = std::sqrt(static_cast<double>(columns_)), eigenvalue = 0;
  for (int power = 0; power < kPowers && norm > 0; ++power) {
    for (int64_t j = 0; j < columns_; ++j) vector[j] = static_cast<Real>(vector[j] / norm);
    forward(data, vector.data(), 1, 0, data_.columns, dots.data(), m);
    double energy = 0;
    for (int64_t i = 0; i < m; ++i) {
      const double dot = static_cast<double>(dots[i]);
      const double weighted = samples_.relative_weight(first + i) * dot;
      energy += weighted * dot;
      dots[i] = static_cast<Real>(weighted);
    }
    eigenvalue = std::max(eigenvalue, energy);
    backward(data, dots.data(), m, 1, 0, data_.columns, sums.data());
    norm = 0;
    for (int64_t j = 0; j < columns_; ++j) {
      vector[j] = sums[j];
      norm += static_cast<double>(sums[j]) * static_cast<double>(sums[j]);
    }
    norm = std::sqrt(norm);
  }
  return eigenvalue / static_cast<double>(m);
}

template class FloatingSolver<float>;
template class FloatingSolver<double>;

}  // namespace quant_ops::linear
