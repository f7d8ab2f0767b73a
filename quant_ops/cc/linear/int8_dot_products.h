// Dot products with, and combinations of, rows of 4- or 8-bit integers: 8-bit offsets and
// coefficients, 32-bit sums.
#ifndef QUANT_OPS_LINEAR_INT8_DOT_PRODUCTS_H_
#define QUANT_OPS_LINEAR_INT8_DOT_PRODUCTS_H_

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "int8_vectors.h"
#include "kernel_tables.h"
#include "unrolled_outputs.h"

namespace quant_ops::QUANT_OPS_ISA {

using linear::Digits;
using linear::IntegerRows;
using linear::kColumnUnit;
using linear::kUnitBytes;

constexpr int kParts = kColumnUnit / Bytes::kSize;
// Sums of that many columns fit in 32 bits, and so many bytes of a few rows in the first-level
// cache.
constexpr int64_t kColumnChunk = 32768;

// What a sum of products with `values` lacks because stored elements are above what they stand for.
template <Storage storage>
inline int32_t excess_of(const int8_t* values, int64_t count) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += values[i];
  return -Bytes::kOffset<storage> * sum;
}

template <Storage storage>
inline Bytes::V unit_dot(Bytes::V acc, const uint8_t* row, int64_t column,
                         const Bytes::Weights (&w)[kParts]) {
  if constexpr (storage == Storage::kInt4) {
    return Bytes::nibbles_dot(acc, row + column / 2, w);
  } else {
    for (int part = 0; part < kParts; ++part) {
      acc = Bytes::dot<storage>(acc, Bytes::elements<storage>(row, column, part), w[part]);
    }
    return acc;
  }
}

// kRows rows from `first` on and kOutputs outputs from `output` on.
template <Storage storage, int kRows, int kOutputs>
inline void forward_tile(const IntegerRows& rows, int first, const Digits<int8_t>& z, int output,
                         int64_t begin, int64_t end, int64_t* dots, int64_t dots_stride) {
  Bytes::V acc[kOutputs][kRows];
  unrolled<kOutputs * kRows>([&](auto i) { acc[i / kRows][i % kRows] = Bytes::zero(); });
  const uint8_t* const data = rows.data + first * rows.stride;
  const int8_t* const z_values = z.values + output * z.stride;
  linear::Ahead* const ahead = output == 0 ? rows.ahead : nullptr;
  for (int64_t column = begin; column < end; column += kColumnUnit) {
    if (ahead != nullptr) ahead->fetch_half_of<kUnitBytes<storage, kRows>>();
    Bytes::Weights w[kOutputs][kParts];
    unrolled<kOutputs * kParts>([&](auto i) {
      constexpr int o = i / kParts, part = i % kParts;
      const int8_t* const from = z_values + o * z.stride + column + part * Bytes::kSize;
      w[o][part] = Bytes::weights<storage>(Bytes::load(from));
    });
    unrolled<kRows * kOutputs>([&](auto i) {
      constexpr int r = i / kOutputs, o = i % kOutputs;
      acc[o][r] = unit_dot<storage>(acc[o][r], data + r * rows.stride, column, w[o]);
    });
  }
  unrolled<kOutputs>([&](auto o) {
    int64_t* const to = dots + (output + o) * dots_stride + first;
    if constexpr (kRows % 4 == 0) {
      unrolled<kRows / 4>([&](auto four) {
        constexpr int r = 4 * four;
        Bytes::add_sums(acc[o][r], acc[o][r + 1], acc[o][r + 2], acc[o][r + 3], to + r);
      });
    } else {
      unrolled<kRows>([&](auto r) { to[r] += Bytes::sum(acc[o][r]); });
    }
  });
}

template <Storage storage, int kRows, int kMost>
inline void forward_rows(const IntegerRows& rows, int first, const Digits<int8_t>& z, int outputs,
                         int64_t begin, int64_t end, int64_t* dots, int64_t dots_stride) {
  for_output_groups<kMost>(outputs, [&](auto tag, int output) {
    forward_tile<storage, kRows, decltype(tag)::value>(rows, first, z, output, begin, end, dots,
                                                       dots_stride);
  });
}

// A few rows at a time, which stay in the first-level cache while all outputs use them.
template <Storage storage>
inline void forward_narrow(const IntegerRows& rows, const Digits<int8_t>& z, int outputs,
                           int64_t begin, int64_t end, int64_t* dots, int64_t dots_stride) {
  const int64_t chunk = outputs == 1 ? kColumnChunk : 2048;
  for (int64_t from = begin; from < end; from += chunk) {
    const int64_t to = from + chunk < end ? from + chunk : end;
    int row = 0;
    const auto run = [&](auto tag, auto most) {
      constexpr int kRows = decltype(tag)::value;
      for (; row + kRows <= rows.count; row += kRows) {
        forward_rows<storage, kRows, decltype(most)::value>(rows, row, z, outputs, from, to, dots,
                                                            dots_stride);
      }
    };
    if (outputs == 1) run(std::integral_constant<int, 8>{}, std::integral_constant<int, 1>{});
    constexpr std::integral_constant<int, Bytes::kForwardOutputs> most;
    run(std::integral_constant<int, 4>{}, most);
    run(std::integral_constant<int, 1>{}, most);
    if constexpr (Bytes::kOffset<storage> == 0) continue;
    for (int o = 0; o < outputs; ++o) {
      const int32_t excess = excess_of<storage>(z.values + o * z.stride + from, to - from);
      for (int r = 0; r < rows.count; ++r) dots[o * dots_stride + r] += excess;
    }
  }
}

// Four columns of four rows become the four bytes of a lane each: lane 4 k + l of piece p, l < 4,
// is column 16 k + 4 p + l.
struct Transposed {
  Bytes::V pieces[4];

  Transposed() = default;
  Transposed(Bytes::V a, Bytes::V b, Bytes::V c, Bytes::V d) {
    const Bytes::V low_ab = Bytes::low8(a, b), high_ab = Bytes::high8(a, b);
    const Bytes::V low_cd = Bytes::low8(c, d), high_cd = Bytes::high8(c, d);
    pieces[0] = Bytes::low16(low_ab, low_cd);
    pieces[1] = Bytes::high16(low_ab, low_cd);
    pieces[2] = Bytes::low16(high_ab, high_cd);
    pieces[3] = Bytes::high16(high_ab, high_cd);
  }
};

template <class Sum>
inline void store_transposed(const Bytes::V (&pieces)[4], Sum* sums) {
  int32_t lanes[4][Bytes::kSize / 4];
  for (int p = 0; p < 4; ++p) Bytes::store(lanes[p], pieces[p]);
  for (int k = 0; k < Bytes::kSize / 16; ++k) {
    for (int p = 0; p < 4; ++p) std::memcpy(sums + 16 * k + 4 * p, lanes[p] + 4 * k, 16);
  }
}

// Four rows from `row` on; what stands in for missing ones has coefficients of 0.
template <Storage storage>
inline Transposed transposed(const IntegerRows& rows, int row, int64_t column, int part) {
  const uint8_t* const a = rows.data + row * rows.stride;
  const int left = rows.count - row;
  const uint8_t* const b = left > 1 ? a + rows.stride : a;
  const uint8_t* const c = left > 2 ? a + 2 * rows.stride : a;
  const uint8_t* const d = left > 3 ? a + 3 * rows.stride : a;
  return Transposed(
      Bytes::elements<storage>(a, column, part), Bytes::elements<storage>(b, column, part),
      Bytes::elements<storage>(c, column, part), Bytes::elements<storage>(d, column, part));
}

// The sums of kVectors vectors of columns for kOutputs outputs, in registers.
template <Storage storage, int kVectors, int kOutputs>
class ColumnSums {
 public:
  ColumnSums() {
    for (auto& output : acc_) {
      for (auto& vector : output) {
        for (Bytes::V& piece : vector) piece = Bytes::zero();
      }
    }
  }

  // Four more rows, x(v) being their pieces of vector v.
  template <class Pieces>
  void add(const int8_t* gamma, int64_t stride, const Pieces& x) {
    Bytes::Weights w[kOutputs];
    for (int o = 0; o < kOutputs; ++o) {
      w[o] = Bytes::weights<storage>(Bytes::splat4(gamma + o * stride));
    }
    for (int v = 0; v < kVectors; ++v) {
      const Transposed& columns = x(v);
      for (int o = 0; o < kOutputs; ++o) {
        for (int p = 0; p < 4; ++p) {
          acc_[o][v][p] = Bytes::dot<storage>(acc_[o][v][p], columns.pieces[p], w[o]);
        }
      }
    }
  }

  // After `rows` of them.
  void store(const int8_t* gamma, int64_t gamma_stride, int rows, int32_t* sums, int64_t stride) {
    for (int o = 0; o < kOutputs; ++o) {
      for (int v = 0; v < kVectors; ++v) {
        if constexpr (Bytes::kOffset<storage> != 0) {
          const Bytes::V excess =
              Bytes::splat32(excess_of<storage>(gamma + o * gamma_stride, rows));
          for (Bytes::V& piece : acc_[o][v]) piece = Bytes::add32(piece, excess);
        }
        store_transposed(acc_[o][v], sums + o * stride + v * Bytes::kSize);
      }
    }
  }

 private:
  Bytes::V acc_[kOutputs][kVectors][4];
};

template <Storage storage>
inline void backward_one_output(const IntegerRows& rows, const int8_t* gamma, int64_t column,
                                int32_t* sums) {
  constexpr int kVectors = kParts < 2 ? kParts : 2;
  for (int part = 0; part < kParts; part += kVectors) {
    const int64_t at = column + part * Bytes::kSize;
    ColumnSums<storage, kVectors, 1> out;
    for (int row = 0; row < rows.count; row += 4) {
      if (rows.ahead != nullptr && part == 0) rows.ahead->fetch_half_of<kUnitBytes<storage, 4>>();
      out.add(gamma + row, 0,
              [&](int v) { return transposed<storage>(rows, row, column, part + v); });
    }
    out.store(gamma, 0, rows.count, sums + at, 0);
  }
}

// Many outputs use the same transposed columns; kTransposedRows rows at a time.
constexpr int kTransposedRows = 256;

template <Storage storage>
inline void backward_outputs(const IntegerRows& rows, const Digits<int8_t>& gamma, int outputs,
                             int64_t column, int part, int32_t* sums, int64_t sums_stride) {
  Transposed columns[kTransposedRows / 4];
  int32_t more[Bytes::kBackwardOutputs * Bytes::kSize];
  for (int first = 0; first < rows.count; first += kTransposedRows) {
    const int left = rows.count - first;
    const int groups = ((left < kTransposedRows ? left : kTransposedRows) + 3) / 4;
    for (int g = 0; g < groups; ++g) {
      columns[g] = transposed<storage>(rows, first + 4 * g, column, part);
      if (rows.ahead != nullptr && part == 0) rows.ahead->fetch_half_of<kUnitBytes<storage, 4>>();
    }
    for_output_groups<Bytes::kBackwardOutputs>(outputs, [&](auto tag, int output) {
      constexpr int kOutputs = decltype(tag)::value;
      ColumnSums<storage, 1, kOutputs> out;
      const int8_t* const coefficients = gamma.values + output * gamma.stride + first;
#pragma GCC unroll 4
      for (int g = 0; g < groups; ++g) {
        out.add(coefficients + 4 * g, gamma.stride,
                [&](int) -> const Transposed& { return columns[g]; });
      }
      int32_t* const to = sums + output * sums_stride + column + part * Bytes::kSize;
      const int done = left < kTransposedRows ? left : kTransposedRows;
      if (first == 0) return out.store(coefficients, gamma.stride, done, to, sums_stride);
      out.store(coefficients, gamma.stride, done, more, Bytes::kSize);
      for (int o = 0; o < kOutputs; ++o) {
        for (int j = 0; j < Bytes::kSize; ++j)
          to[o * sums_stride + j] += more[o * Bytes::kSize + j];
      }
    });
  }
}

template <Storage storage>
inline void backward_narrow(const IntegerRows& rows, const Digits<int8_t>& gamma, int outputs,
                            int64_t begin, int64_t end, int32_t* sums, int64_t sums_stride) {
  for (int64_t column = begin; column < end; column += kColumnUnit) {
    if (outputs == 1) {
      backward_one_output<storage>(rows, gamma.values, column, sums);
      continue;
    }
    for (int part = 0; part < kParts; ++part) {
      backward_outputs<storage>(rows, gamma, outputs, column, part, sums, sums_stride);
    }
  }
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_INT8_DOT_PRODUCTS_H_
