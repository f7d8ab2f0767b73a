// What DataKernels are made of.
#ifndef QUANT_OPS_LINEAR_DATA_LOOPS_H_
#define QUANT_OPS_LINEAR_DATA_LOOPS_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "../core/per_instruction_set.h"
#include "data_kernels.h"

namespace quant_ops::QUANT_OPS_ISA {

using linear::ElementType;
using linear::Features;
using linear::Rescaling;

// The bits of a half-precision number.
struct Half {
  uint16_t bits;

  // Exact: the exponents differ by 112, and multiplying by 2^112 normalises what is subnormal.
  explicit operator float() const {
    const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7fffu) << 13;
    float scaled;
    std::memcpy(&scaled, &magnitude, sizeof(scaled));
    scaled *= 0x1p112f;
    uint32_t result;
    std::memcpy(&result, &scaled, sizeof(result));
    if ((bits & 0x7c00u) == 0x7c00u) result = magnitude | 0x7f800000u;  // infinity, NaN
    result |= static_cast<uint32_t>(bits & 0x8000u) << 16;
    std::memcpy(&scaled, &result, sizeof(scaled));
    return scaled;
  }
};

template <class T, class Real>
inline void read_contiguous(const T* in, int64_t columns, Real* out) {
  QUANT_OPS_VECTOR_LOOP
  for (int64_t j = 0; j < columns; ++j) out[j] = static_cast<Real>(static_cast<float>(in[j]));
}
template <class T>
inline void read_contiguous(const T* in, int64_t columns, double* out) {
  for (int64_t j = 0; j < columns; ++j) out[j] = static_cast<double>(in[j]);
}

// Columns some at a time: of a row-major array these are one line of memory, of a column-major one
// as many as the processor follows.
template <class T, class Real>
void read_elements(const Features& features, int64_t first, int count, Real* out) {
  constexpr int64_t kColumns = 16;
  const char* const begin = static_cast<const char*>(features.data) + first * features.row_stride;
  const int64_t columns = features.columns, down = features.row_stride,
                right = features.column_stride;
  if (right == static_cast<int64_t>(sizeof(T))) {
    for (int r = 0; r < count; ++r) {
      read_contiguous(reinterpret_cast<const T*>(begin + r * down), columns, out + r * columns);
    }
    return;
  }
  for (int64_t from = 0; from < columns; from += kColumns) {
    const int64_t to = from + kColumns < columns ? from + kColumns : columns;
    for (int r = 0; r < count; ++r) {
      for (int64_t j = from; j < to; ++j) {
        const T* const in = reinterpret_cast<const T*>(begin + r * down + j * right);
        read_contiguous(in, 1, out + r * columns + j);
      }
    }
  }
}

inline void read_rows(const Features& features, int64_t first, int count, float* out) {
  const auto run = features.type == ElementType::kUint8     ? read_elements<uint8_t, float>
                   : features.type == ElementType::kInt8    ? read_elements<int8_t, float>
                   : features.type == ElementType::kUint16  ? read_elements<uint16_t, float>
                   : features.type == ElementType::kInt16   ? read_elements<int16_t, float>
                   : features.type == ElementType::kFloat16 ? read_elements<Half, float>
                                                            : read_elements<float, float>;
  run(features, first, count, out);
}

inline void read_rows(const Features& features, int64_t first, int count, double* out) {
  const auto run = features.type == ElementType::kUint32   ? read_elements<uint32_t, double>
                   : features.type == ElementType::kInt32  ? read_elements<int32_t, double>
                   : features.type == ElementType::kUint64 ? read_elements<uint64_t, double>
                   : features.type == ElementType::kInt64  ? read_elements<int64_t, double>
                                                           : read_elements<double, double>;
  run(features, first, count, out);
}

template <class Real>
inline Real lower(Real a, Real b) {
  return b < a ? b : a;
}
template <class Real>
inline Real higher(Real a, Real b) {
  return b > a ? b : a;
}

// Not inlined: within the loop over rows it takes a sixth longer.
template <class Real>
__attribute__((noinline)) void survey_row(const Real* __restrict row, int64_t columns,
                                          Real* __restrict low, Real* __restrict high,
                                          double* __restrict squares) {
  for (int64_t j = 0; j < columns; ++j) {
    low[j] = lower(low[j], row[j]);
    high[j] = higher(high[j], row[j]);
    const double x = row[j];
    squares[j] += x * x;
  }
}

// One row after the other: the processor fetches ahead what is read in the order of memory, and
// reading several rows at once takes longer, although the columns' numbers are then read less
// often.
template <class Real>
void survey(const Real* rows, int64_t stride, int count, int64_t columns, Real* low, Real* high,
            double* squares) {
  for (int r = 0; r < count; ++r) survey_row(rows + r * stride, columns, low, high, squares);
}

template <bool kCentred, class Real>
inline double rescaled(const Real* row, const double* centres, const double* factors, int64_t j) {
  const double x = static_cast<double>(row[j]);
  return (kCentred ? x - centres[j] : x) * factors[j];
}

// To the nearest, in one instruction where the compiler has a name for it.
inline int32_t nearest(double x) {
#if defined(__GNUC__) && !defined(__clang__)
  return __builtin_irint(x);
#else
  return static_cast<int32_t>(std::rint(x));
#endif
}

// Up to kChunk columns, in two loops, each of which has vectors of one width.
constexpr int64_t kChunk = 64;
template <bool kCentred, class Real, class Word>
inline double chunk_to_integers(const Real* __restrict row, const double* __restrict centres,
                                const double* __restrict factors, int64_t count, int32_t limit,
                                Word* __restrict out) {
  using Square = std::conditional_t<sizeof(Word) == 1, int32_t, int64_t>;
  int32_t integers[kChunk];
  for (int64_t j = 0; j < count; ++j) {
    integers[j] = nearest(rescaled<kCentred>(row, centres, factors, j));
  }
  Square squares = 0;
  for (int64_t j = 0; j < count; ++j) {
    int32_t n = integers[j];
    n = n < limit ? n : limit;
    n = n > -limit ? n : -limit;
    out[j] = static_cast<Word>(n);
    squares += static_cast<Square>(n) * n;
  }
  return static_cast<double>(squares);
}

template <bool kCentred, class Real, class Word>
double to_integers(const Real* row, const Rescaling& rescaling, int64_t columns, int32_t limit,
                   Word* out) {
  const double *const centres = rescaling.centres, *const factors = rescaling.factors;
  double squares = 0;
  int64_t j = 0;
  for (; j + kChunk <= columns; j += kChunk) {
    squares += chunk_to_integers<kCentred>(row + j, kCentred ? centres + j : nullptr, factors + j,
                                           kChunk, limit, out + j);
  }
  return squares + chunk_to_integers<kCentred>(row + j, kCentred ? centres + j : nullptr,
                                               factors + j, columns - j, limit, out + j);
}

template <class Real, class Word>
double to_integers(const Real* row, const Rescaling& rescaling, int64_t columns, int32_t limit,
                   Word* out) {
  return rescaling.centres == nullptr ? to_integers<false>(row, rescaling, columns, limit, out)
                                      : to_integers<true>(row, rescaling, columns, limit, out);
}

// The sum of squares in eight parts, the same for every width of vectors.
template <bool kCentred, class Real, class Out>
double to_floats(const Real* row, const Rescaling& rescaling, int64_t columns,
                 Out* __restrict out) {
  constexpr int kParts = 8;
  double parts[kParts] = {};
  int64_t j = 0;
  for (; j + kParts <= columns; j += kParts) {
    for (int k = 0; k < kParts; ++k) {
      const double x = rescaled<kCentred>(row, rescaling.centres, rescaling.factors, j + k);
      out[j + k] = static_cast<Out>(x);
      parts[k] += x * x;
    }
  }
  for (; j < columns; ++j) {
    const double x = rescaled<kCentred>(row, rescaling.centres, rescaling.factors, j);
    out[j] = static_cast<Out>(x);
    parts[0] += x * x;
  }
  double all = 0;
  for (const double part : parts) all += part;
  return all;
}

template <class Real, class Out>
double to_floats(const Real* row, const Rescaling& rescaling, int64_t columns, Out* out) {
  return rescaling.centres == nullptr ? to_floats<false>(row, rescaling, columns, out)
                                      : to_floats<true>(row, rescaling, columns, out);
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_DATA_LOOPS_H_
