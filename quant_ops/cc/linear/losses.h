// Losses row by row: up to kRowBlock rows at a time, one array per output.
//
// The derivative of every loss is prediction - target: the activation itself for least squares, a
// probability for logistic regression and softmax (where the target is 1 for its class, else 0).
#ifndef QUANT_OPS_LINEAR_LOSSES_H_
#define QUANT_OPS_LINEAR_LOSSES_H_

#include <cstdint>

#include "../core/per_instruction_set.h"
#include "exponential.h"
#include "kernel_tables.h"
#include "problem.h"

namespace quant_ops::QUANT_OPS_ISA {

using linear::kRowBlock;
using linear::Loss;

// Of up to kRowBlock numbers, in eight parts: the same for every width of vectors.
inline double sum_in_parts(const double* values, int count) {
  constexpr int kParts = 8;
  double parts[kParts] = {};
  int i = 0;
  for (; i + kParts <= count; i += kParts) {
    for (int k = 0; k < kParts; ++k) parts[k] += values[i + k];
  }
  for (; i < count; ++i) parts[0] += values[i];
  double sum = 0;
  for (const double part : parts) sum += part;
  return sum;
}

// Of kRowBlock numbers that are not negative; halves against halves, for vectors of every width.
inline double largest_of(double* values) {
  for (int half = kRowBlock / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) {
      values[i] = values[i + half] > values[i] ? values[i + half] : values[i];
    }
  }
  return values[0];
}

// The largest of each row's outputs.
template <class Real>
inline void largest_outputs(int outputs, int rows, const Real* a, int64_t stride, Real* largest) {
  for (int r = 0; r < rows; ++r) largest[r] = a[r];
  for (int o = 1; o < outputs; ++o) {
    const Real* const row = a + o * stride;
    for (int r = 0; r < rows; ++r) largest[r] = row[r] > largest[r] ? row[r] : largest[r];
  }
}

// a becomes exp(a - largest), of sum `total` per row.
template <class Real>
inline void exponentials(int outputs, int rows, Real* a, int64_t stride, Real* largest,
                         Real* total) {
  largest_outputs(outputs, rows, a, stride, largest);
  for (int r = 0; r < rows; ++r) total[r] = 0;
  for (int o = 0; o < outputs; ++o) {
    Real* const row = a + o * stride;
    QUANT_OPS_VECTOR_LOOP
    for (int r = 0; r < rows; ++r) {
      row[r] = exponential(row[r] - largest[r]);
      total[r] += row[r];
    }
  }
}

template <class Real>
inline void normalize(int outputs, int rows, Real* a, int64_t stride, Real* total) {
  for (int r = 0; r < rows; ++r) total[r] = Real(1) / total[r];
  for (int o = 0; o < outputs; ++o) {
    QUANT_OPS_VECTOR_LOOP
    for (int r = 0; r < rows; ++r) a[o * stride + r] *= total[r];
  }
}

// Activations [o * stride + r] become predictions.
template <class Real>
inline void predict(Loss loss, int outputs, int rows, Real* a, int64_t stride) {
  if (loss == Loss::kSquared) return;
  if (loss == Loss::kLogistic) {
    QUANT_OPS_VECTOR_LOOP
    for (int r = 0; r < rows; ++r) a[r] = Real(1) / (Real(1) + exponential(-a[r]));
    return;
  }
  Real largest[kRowBlock], total[kRowBlock];
  exponentials(outputs, rows, a, stride, largest, total);
  normalize(outputs, rows, a, stride, total);
}

// Changes t of the activations become changes of the predictions p, without cancellation: with
// m = expm1(t), p (1 - p) m / (1 + p m) and, for softmax, p (m - s) / (1 + s), s = sum_o p_o m_o.
template <class Real>
inline void predict_change(Loss loss, int outputs, int rows, Real* t, int64_t stride, const Real* p,
                           int64_t p_stride) {
  if (loss == Loss::kSquared) return;
  if (loss == Loss::kLogistic) {
    QUANT_OPS_VECTOR_LOOP
    for (int r = 0; r < rows; ++r) {
      const Real m = exponential_minus_one(t[r]);
      t[r] = p[r] * (Real(1) - p[r]) * m / (Real(1) + p[r] * m);
    }
    return;
  }
  // A shift of all activations changes nothing: without the largest, no m is above 0.
  Real largest[kRowBlock], sum[kRowBlock] = {};
  largest_outputs(outputs, rows, t, stride, largest);
  for (int o = 0; o < outputs; ++o) {
    Real* const row = t + o * stride;
    const Real* const before = p + o * p_stride;
    QUANT_OPS_VECTOR_LOOP
    for (int r = 0; r < rows; ++r) {
      row[r] = exponential_minus_one(row[r] - largest[r]);
      sum[r] += before[r] * row[r];
    }
  }
  for (int o = 0; o < outputs; ++o) {
    Real* const row = t + o * stride;
    const Real* const before = p + o * p_stride;
    QUANT_OPS_VECTOR_LOOP
    for (int r = 0; r < rows; ++r) row[r] = before[r] * (row[r] - sum[r]) / (Real(1) + sum[r]);
  }
}

// As predict, and returns the losses' weighted sum.
inline double predict_and_lose(Loss loss, int outputs, int rows, double* a, int64_t stride,
                               const double* targets, const double* weights) {
  double losses[kRowBlock];
  if (loss == Loss::kSquared) {
    for (int r = 0; r < rows; ++r) losses[r] = 0.5 * (a[r] - targets[r]) * (a[r] - targets[r]);
  } else if (loss == Loss::kLogistic) {
    QUANT_OPS_VECTOR_LOOP
    for (int r = 0; r < rows; ++r) {
      const double above = a[r] > 0 ? a[r] : 0;
      const double e = exponential(a[r] > 0 ? -a[r] : a[r]);
      losses[r] = above + logarithm(1 + e) - targets[r] * a[r];
      a[r] = (a[r] > 0 ? 1 : e) / (1 + e);
    }
  } else {
    double largest[kRowBlock], total[kRowBlock];
    for (int r = 0; r < rows; ++r) {
      losses[r] = -a[static_cast<int>(targets[r]) * stride + r];
    }
    exponentials(outputs, rows, a, stride, largest, total);
    QUANT_OPS_VECTOR_LOOP
    for (int r = 0; r < rows; ++r) losses[r] += largest[r] + logarithm(total[r]);
    normalize(outputs, rows, a, stride, total);
  }
  for (int r = 0; r < rows; ++r) losses[r] *= weights[r];
  return sum_in_parts(losses, rows);
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_LOSSES_H_
