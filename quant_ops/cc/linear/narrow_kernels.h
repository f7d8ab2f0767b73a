// Dot products with, and combinations of, rows of 4- or 8-bit integers: 8-bit offsets and
// coefficients, 32-bit sums.
#ifndef QUANT_OPS_LINEAR_NARROW_KERNELS_H_
#define QUANT_OPS_LINEAR_NARROW_KERNELS_H_

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "bytes.h"
#include "kernels.h"
#include "output_groups.h"

namespace quant_ops::QUANT_OPS_ISA {

using linear::Digits;
using linear::IntegerRows;
using linear::kColumnUnit;

constexpr int kParts = kColumnUnit / Bytes::kSize;
// Sums of that many columns fit in 32 bits, and so many bytes of a few rows in the first-level
// cache.
constexpr int64_t kColumnChunk = 32768;

// While some rows are worked on, the lines of the next ones come: half of them during the forward
// loops, half during the backward loops, so that memory is busy all the time.
template <Storage storage>
inline void prefetch_unit(const IntegerRows& rows, int row, int64_t column) {
  constexpr int64_t kBitsPerElement = storage == Storage::kInt4 ? 4 : 8;
  __builtin_prefetch(rows.next + row * rows.stride + column * kBitsPerElement / 8, 0, 2);
}

// kRows rows from `first` on and kOutputs outputs from `output` on.
template <Storage storage, int kRows, int kOutputs>
inline void forward_tile(const IntegerRows& rows, int first, const Digits<int8_t>& z, int output,
                         int64_t begin, int64_t end, int64_t* dots, int64_t dots_stride) {
  using V = Bytes::V;
  V acc[kOutputs][kRows], offset[kOutputs];
  for (int o = 0; o < kOutputs; ++o) {
    offset[o] = Bytes::zero();
    for (int r = 0; r < kRows; ++r) acc[o][r] = Bytes::zero();
  }
  const uint8_t* const data = rows.data + first * rows.stride;
  const int8_t* const z_values = z.values + output * z.stride;
  const bool prefetches = rows.next != nullptr && output == 0;
  for (int64_t column = begin; column < end; column += kColumnUnit) {
    if (prefetches) {
      for (int r = first & 1; r < kRows; r += 2) prefetch_unit<storage>(rows, first + r, column);
    }
    for (int part = 0; part < kParts; ++part) {
      const int64_t at = column + part * Bytes::kSize;
      Bytes::Weights w[kOutputs];
      for (int o = 0; o < kOutputs; ++o) {
        w[o] = Bytes::weights<storage>(Bytes::load(z_values + o * z.stride + at));
        offset[o] = Bytes::less_offset<storage>(offset[o], w[o].signed_bytes);
      }
      for (int r = 0; r < kRows; ++r) {
        const V x = Bytes::elements<storage>(data + r * rows.stride, at);
        for (int o = 0; o < kOutputs; ++o) acc[o][r] = Bytes::dot<storage>(acc[o][r], x, w[o]);
      }
    }
  }
  for (int o = 0; o < kOutputs; ++o) {
    const int32_t shift = Bytes::kOffset<storage> == 0 ? 0 : Bytes::sum(offset[o]);
    int64_t* to = dots + (output + o) * dots_stride + first;
    for (int r = 0; r < kRows; ++r) to[r] += Bytes::sum(acc[o][r]) + shift;
  }
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
    run(std::integral_constant<int, 4>{}, std::integral_constant<int, 3>{});
    run(std::integral_constant<int, 1>{}, std::integral_constant<int, 3>{});
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
inline Transposed transposed(const IntegerRows& rows, int row, int64_t column) {
  const uint8_t* const a = rows.data + row * rows.stride;
  const int left = rows.count - row;
  const uint8_t* const b = left > 1 ? a + rows.stride : a;
  const uint8_t* const c = left > 2 ? a + 2 * rows.stride : a;
  const uint8_t* const d = left > 3 ? a + 3 * rows.stride : a;
  return Transposed(Bytes::elements<storage>(a, column), Bytes::elements<storage>(b, column),
                    Bytes::elements<storage>(c, column), Bytes::elements<storage>(d, column));
}

// The sums of kVectors vectors of columns for kOutputs outputs, in registers.
template <Storage storage, int kVectors, int kOutputs>
struct ColumnSums {
  Bytes::V acc[kOutputs][kVectors][4], offset[kOutputs];

  ColumnSums() {
    for (int o = 0; o < kOutputs; ++o) {
      offset[o] = Bytes::zero();
      for (auto& pieces : acc[o]) {
        for (Bytes::V& piece : pieces) piece = Bytes::zero();
      }
    }
  }

  // Four more rows, x(v) being their pieces of vector v.
  template <class Pieces>
  void add(const int8_t* gamma, int64_t stride, const Pieces& x) {
    Bytes::Weights w[kOutputs];
    for (int o = 0; o < kOutputs; ++o) {
      w[o] = Bytes::weights<storage>(Bytes::splat4(gamma + o * stride));
      offset[o] = Bytes::less_offset<storage>(offset[o], w[o].signed_bytes);
    }
    for (int v = 0; v < kVectors; ++v) {
      const Transposed& columns = x(v);
      for (int o = 0; o < kOutputs; ++o) {
        for (int p = 0; p < 4; ++p) {
          acc[o][v][p] = Bytes::dot<storage>(acc[o][v][p], columns.pieces[p], w[o]);
        }
      }
    }
  }

  void store(int32_t* sums, int64_t stride) {
    for (int o = 0; o < kOutputs; ++o) {
      for (int v = 0; v < kVectors; ++v) {
        if constexpr (Bytes::kOffset<storage> != 0) {
          for (Bytes::V& piece : acc[o][v]) piece = Bytes::add32(piece, offset[o]);
        }
        store_transposed(acc[o][v], sums + o * stride + v * Bytes::kSize);
      }
    }
  }
};

template <Storage storage>
inline void backward_one_output(const IntegerRows& rows, const int8_t* gamma, int64_t column,
                                int32_t* sums) {
  constexpr int kVectors = kParts < 2 ? kParts : 2;
  for (int part = 0; part < kParts; part += kVectors) {
    const int64_t at = column + part * Bytes::kSize;
    ColumnSums<storage, kVectors, 1> out;
    for (int row = 0; row < rows.count; row += 4) {
      if (rows.next != nullptr && part == 0) {
        prefetch_unit<storage>(rows, row + 1, column);
        prefetch_unit<storage>(rows, row + 3, column);
      }
      out.add(gamma + row, 0,
              [&](int v) { return transposed<storage>(rows, row, at + v * Bytes::kSize); });
    }
    out.store(sums + at, 0);
  }
}

// Many outputs use the same transposed columns; kTransposedRows rows at a time.
constexpr int kTransposedRows = 256;

template <Storage storage>
inline void backward_outputs(const IntegerRows& rows, const Digits<int8_t>& gamma, int outputs,
                             int64_t column, int32_t* sums, int64_t sums_stride) {
  Transposed columns[kTransposedRows / 4];
  int32_t more[3 * Bytes::kSize];
  for (int first = 0; first < rows.count; first += kTransposedRows) {
    const int left = rows.count - first;
    const int groups = ((left < kTransposedRows ? left : kTransposedRows) + 3) / 4;
    for (int g = 0; g < groups; ++g) {
      columns[g] = transposed<storage>(rows, first + 4 * g, column);
      if (rows.next != nullptr && column % kColumnUnit == 0) {
        prefetch_unit<storage>(rows, first + 4 * g + 1, column);
        prefetch_unit<storage>(rows, first + 4 * g + 3, column);
      }
    }
    for_output_groups<2>(outputs, [&](auto tag, int output) {
      constexpr int kOutputs = decltype(tag)::value;
      ColumnSums<storage, 1, kOutputs> out;
      const int8_t* const coefficients = gamma.values + output * gamma.stride + first;
      for (int g = 0; g < groups; ++g) {
        out.add(coefficients + 4 * g, gamma.stride,
                [&](int) -> const Transposed& { return columns[g]; });
      }
      int32_t* const to = sums + output * sums_stride + column;
      if (first == 0) return out.store(to, sums_stride);
      out.store(more, Bytes::kSize);
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
      backward_outputs<storage>(rows, gamma, outputs, column + part * Bytes::kSize, sums,
                                sums_stride);
    }
  }
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_NARROW_KERNELS_H_
