// Power iteration in integers, with the loops of the steps: vectors are rounded to 8 bits, whose
// Rayleigh quotient is exact, and its error of second order.
#include <algorithm>
#include <cmath>

#include "integer_solver.h"
#include "power_iteration.h"

namespace quant_ops::linear {
namespace {

constexpr int kBits = 8;
constexpr double kLimit = 127;

// values / largest * kLimit, to the nearest; false if all are 0.
template <class Value, class Word>
bool round_to_words(const Value* values, int64_t count, Word* out) {
  double largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(values[i])));
  }
  if (!(largest > 0)) return false;
  for (int64_t i = 0; i < count; ++i) {
    const double n = std::rint(static_cast<double>(values[i]) / largest * kLimit);
    out[i] = static_cast<Word>(static_cast<int32_t>(n));
  }
  return true;
}

}  // namespace

template <class Word, class Sum>
double IntegerSolver<Word, Sum>::largest_eigenvalue(int64_t first, int64_t m) {
  const IntegerRows data = rows(first, m);
  Array<int64_t> dots(m + kColumnUnit);
  Array<Word> vector(padded_), products(m + kColumnUnit);
  Array<Sum> sums(padded_);
  std::vector<double> weighted(m);
  write_first_vector(static_cast<Word>(kLimit), columns_, vector.data());
  double eigenvalue = 0;
  for (int power = 0; power < kPowers; ++power) {
    forward(data, {vector.data(), padded_, kBits}, 1, 0, stored_, dots.data(), m);
    double energy = 0, norm = 0;
    for (int64_t i = 0; i < m; ++i) {
      const double dot = static_cast<double>(dots[i]);
      weighted[i] = samples_.relative_weight(first + i) * dot;
      energy += weighted[i] * dot;
    }
    for (int64_t j = 0; j < columns_; ++j) norm += double{vector[j]} * vector[j];
    eigenvalue = std::max(eigenvalue, energy / norm);
    if (!round_to_words(weighted.data(), m, products.data())) break;
    backward(data, {products.data(), m, kBits}, 1, 0, stored_, sums.data());
    if (!round_to_words(sums.data(), columns_, vector.data())) break;
  }
  return eigenvalue * data_.scale * data_.scale / static_cast<double>(m);
}

template class IntegerSolver<int8_t, int32_t>;
template class IntegerSolver<int16_t, double>;

}  // namespace quant_ops::linear
