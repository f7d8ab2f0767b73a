// Dot products with, and combinations of, rows of floating-point numbers: what the integer loops
// are measured against, so with the same care. Tiles of rows and outputs in registers, fused
// multiply-adds where the machine has them, the next rows fetched ahead.
#ifndef QUANT_OPS_LINEAR_FLOAT_DOT_PRODUCTS_H_
#define QUANT_OPS_LINEAR_FLOAT_DOT_PRODUCTS_H_

#include <cstdint>
#include <cstring>

#include "../core/per_instruction_set.h"
#include "kernel_tables.h"
#include "unrolled_outputs.h"

namespace quant_ops::QUANT_OPS_ISA {

using linear::Rows;

#if defined(__AVX512F__)
constexpr int kFloatBytes = 64;
#elif defined(__AVX2__)
constexpr int kFloatBytes = 32;
#else
constexpr int kFloatBytes = 16;
#endif

template <class Real>
struct Floats {
  typedef Real V __attribute__((vector_size(kFloatBytes)));
  static constexpr int kSize = kFloatBytes / static_cast<int>(sizeof(Real));

  static V load(const Real* from) {
    V v;
    std::memcpy(&v, from, kFloatBytes);
    return v;
  }
  static Real sum(V v) { return sum_of<kFloatBytes>(v); }

 private:
  // By halves, so that the additions do not wait for each other.
  template <int kBytes, class Vector>
  static Real sum_of(const Vector& v) {
    if constexpr (kBytes == 16) {
      Real total = 0;
      for (int i = 0; i < kBytes / static_cast<int>(sizeof(Real)); ++i) total += v[i];
      return total;
    } else {
      typedef Real Half __attribute__((vector_size(kBytes / 2)));
      Half halves[2];
      std::memcpy(halves, &v, kBytes);
      return sum_of<kBytes / 2>(static_cast<Half>(halves[0] + halves[1]));
    }
  }
};

template <class Real, int kRows, int kOutputs>
inline void forward_float_tile(const Rows<Real>& rows, int first, const Real* w, int64_t w_stride,
                               linear::Ahead* ahead, int64_t begin, int64_t end, Real* dots,
                               int64_t dots_stride) {
  using F = Floats<Real>;
  typename F::V acc[kOutputs][kRows] = {};
  const Real* const data = rows.data + first * rows.stride;
  for (int64_t column = begin; column < end; column += F::kSize) {
    if (ahead != nullptr) ahead->fetch_half_of<kRows * kFloatBytes>();
    typename F::V factor[kOutputs];
    for (int o = 0; o < kOutputs; ++o) factor[o] = F::load(w + o * w_stride + column);
    for (int r = 0; r < kRows; ++r) {
      const typename F::V x = F::load(data + r * rows.stride + column);
      for (int o = 0; o < kOutputs; ++o) acc[o][r] += x * factor[o];
    }
  }
  for (int o = 0; o < kOutputs; ++o) {
    for (int r = 0; r < kRows; ++r) dots[o * dots_stride + first + r] += F::sum(acc[o][r]);
  }
}

// Adds to the dots. A few rows at a time, which stay in the first-level cache while all outputs use
// them.
template <class Real>
inline void forward_float(const Rows<Real>& rows, const Real* w, int64_t w_stride, int outputs,
                          int64_t begin, int64_t end, Real* dots, int64_t dots_stride) {
  int row = 0;
  const auto run = [&](auto tag, auto most) {
    constexpr int kRows = decltype(tag)::value;
    for (; row + kRows <= rows.count; row += kRows) {
      for_output_groups<decltype(most)::value>(outputs, [&](auto group, int output) {
        forward_float_tile<Real, kRows, decltype(group)::value>(
            rows, row, w + output * w_stride, w_stride, output == 0 ? rows.ahead : nullptr, begin,
            end, dots + output * dots_stride, dots_stride);
      });
    }
  };
  if (outputs == 1) run(std::integral_constant<int, 8>{}, std::integral_constant<int, 1>{});
  run(std::integral_constant<int, 4>{}, std::integral_constant<int, 3>{});
  run(std::integral_constant<int, 1>{}, std::integral_constant<int, 3>{});
}

template <class Real, int kVectors, int kOutputs>
inline void backward_float_tile(const Rows<Real>& rows, const Real* beta, int64_t beta_stride,
                                linear::Ahead* ahead, int64_t column, Real* sums,
                                int64_t sums_stride) {
  using F = Floats<Real>;
  typename F::V acc[kOutputs][kVectors] = {};
  for (int row = 0; row < rows.count; ++row) {
    const Real* const data = rows.data + row * rows.stride + column;
    typename F::V x[kVectors];
    for (int v = 0; v < kVectors; ++v) x[v] = F::load(data + v * F::kSize);
    if (ahead != nullptr && row % 2 == 1) ahead->fetch_half_of<2 * kVectors * kFloatBytes>();
    for (int o = 0; o < kOutputs; ++o) {
      for (int v = 0; v < kVectors; ++v) acc[o][v] += x[v] * beta[o * beta_stride + row];
    }
  }
  for (int o = 0; o < kOutputs; ++o) {
    std::memcpy(sums + o * sums_stride + column, acc[o], sizeof(acc[o]));
  }
}

template <class Real, int kVectors>
inline void backward_float_columns(const Rows<Real>& rows, const Real* beta, int64_t beta_stride,
                                   int outputs, int64_t column, Real* sums, int64_t sums_stride) {
  const auto run = [&](auto tag, int output) {
    backward_float_tile<Real, kVectors, decltype(tag)::value>(
        rows, beta + output * beta_stride, beta_stride, output == 0 ? rows.ahead : nullptr, column,
        sums + output * sums_stride, sums_stride);
  };
  int output = 0;
  if constexpr (kVectors <= 2) {
    for (; output + 5 <= outputs; output += 5) run(std::integral_constant<int, 5>{}, output);
  }
  for (; output < outputs; ++output) run(std::integral_constant<int, 1>{}, output);
}

template <class Real>
inline void backward_float(const Rows<Real>& rows, const Real* beta, int64_t beta_stride,
                           int outputs, int64_t begin, int64_t end, Real* sums,
                           int64_t sums_stride) {
  constexpr int64_t kSize = Floats<Real>::kSize;
  int64_t column = begin;
  if (outputs == 1) {
    for (; column + 8 * kSize <= end; column += 8 * kSize) {
      backward_float_columns<Real, 8>(rows, beta, beta_stride, 1, column, sums, sums_stride);
    }
  }
  for (; column + 2 * kSize <= end; column += 2 * kSize) {
    backward_float_columns<Real, 2>(rows, beta, beta_stride, outputs, column, sums, sums_stride);
  }
  for (; column < end; column += kSize) {
    backward_float_columns<Real, 1>(rows, beta, beta_stride, outputs, column, sums, sums_stride);
  }
}

template <class Real>
inline void update_float(const Real* sums, const Real* drift, const Real* keep, int64_t begin,
                         int64_t end, Real* w) {
  QUANT_OPS_VECTOR_LOOP
  for (int64_t j = begin; j < end; ++j) w[j] = w[j] * keep[j] - (sums[j] + drift[j]);
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_FLOAT_DOT_PRODUCTS_H_
