// Dot products with, and combinations of, rows of 8- or 16-bit integers: 16-bit offsets and
// coefficients, sums in double, which are
// exact below 2^53.
//
// A factor w of 16 bits is taken as 256 h + l, 0 <= l < 256, so that a lane has room for 128
// products of two pairs each; one of 8 bits as it is.
#ifndef QUANT_OPS_LINEAR_INT16_DOT_PRODUCTS_H_
#define QUANT_OPS_LINEAR_INT16_DOT_PRODUCTS_H_

#include <cstdint>
#include <type_traits>

#include "int16_vectors.h"
#include "kernel_tables.h"

namespace quant_ops::QUANT_OPS_ISA {

using linear::Digits;
using linear::IntegerRows;
using linear::kColumnUnit;
using linear::kUnitBytes;
using linear::Storage;

constexpr int kWideParts = kColumnUnit / Words::kSize;
constexpr int64_t kWideColumns = 1024;  // 128 products in each lane of the shortest vector
constexpr int kWideRows = 256;

template <Storage storage>
inline Words::V words_at(const uint8_t* row, int64_t column) {
  if constexpr (storage == Storage::kInt16) {
    return Words::load(reinterpret_cast<const int16_t*>(row) + column);
  } else {
    return Words::widen(reinterpret_cast<const int8_t*>(row) + column);
  }
}

template <int kPlanes>
struct Planes {
  Words::V plane[kPlanes];

  explicit Planes(Words::V w) {
    plane[0] = kPlanes == 1 ? w : Words::low_byte(w);
    if constexpr (kPlanes == 2) plane[1] = Words::high_byte(w);
  }
};

template <Storage storage, int kPlanes, int kRows>
inline void forward_wide_tile(const IntegerRows& rows, int first, const int16_t* z,
                              linear::Ahead* ahead, int64_t begin, int64_t end, int64_t* dots) {
  Words::V acc[kPlanes][kRows];
  for (auto& plane : acc) {
    for (Words::V& lane : plane) lane = Words::zero();
  }
  const uint8_t* const data = rows.data + first * rows.stride;
  for (int64_t column = begin; column < end; column += kColumnUnit) {
    if (ahead != nullptr) ahead->fetch_half_of<kUnitBytes<storage, kRows>>();
    for (int part = 0; part < kWideParts; ++part) {
      const int64_t at = column + part * Words::kSize;
      const Planes<kPlanes> w(Words::load(z + at));
      for (int r = 0; r < kRows; ++r) {
        const Words::V x = words_at<storage>(data + r * rows.stride, at);
        for (int p = 0; p < kPlanes; ++p) acc[p][r] = Words::dot(acc[p][r], x, w.plane[p]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    dots[first + r] += Words::sum(acc[0][r]);
    if constexpr (kPlanes == 2) dots[first + r] += 256 * Words::sum(acc[1][r]);
  }
}

template <Storage storage, int kPlanes>
inline void forward_planes(const IntegerRows& rows, const Digits<int16_t>& z, int outputs,
                           int64_t begin, int64_t end, int64_t* dots, int64_t dots_stride) {
  constexpr int kRows = 4;
  for (int64_t from = begin; from < end; from += kWideColumns) {
    const int64_t to = from + kWideColumns < end ? from + kWideColumns : end;
    for (int o = 0; o < outputs; ++o) {
      linear::Ahead* const ahead = o == 0 ? rows.ahead : nullptr;
      const int16_t* const values = z.values + o * z.stride;
      int64_t* const out = dots + o * dots_stride;
      int row = 0;
      for (; row + kRows <= rows.count; row += kRows) {
        forward_wide_tile<storage, kPlanes, kRows>(rows, row, values, ahead, from, to, out);
      }
      for (; row < rows.count; ++row) {
        forward_wide_tile<storage, kPlanes, 1>(rows, row, values, ahead, from, to, out);
      }
    }
  }
}

// Adds to, or with `starts` sets, the sums of the columns [column, column + Words::kSize).
template <Storage storage, int kPlanes>
inline void backward_wide_tile(const IntegerRows& rows, int first, int last, const int16_t* gamma,
                               int64_t column, linear::Ahead* ahead, bool starts, double* sums) {
  Words::V acc[kPlanes][2];
  for (auto& plane : acc) plane[0] = plane[1] = Words::zero();
  for (int row = first; row < last; row += 2) {
    const uint8_t* const a = rows.data + row * rows.stride;
    const uint8_t* const b = row + 1 < last ? a + rows.stride : a;
    const Words::V x = words_at<storage>(a, column), y = words_at<storage>(b, column);
    const Words::V low = Words::low16(x, y), high = Words::high16(x, y);
    if (ahead != nullptr) ahead->fetch_half_of<kUnitBytes<storage, 2>>();
    const Planes<kPlanes> w(Words::splat2(gamma[row], gamma[row + 1]));
    for (int p = 0; p < kPlanes; ++p) {
      acc[p][0] = Words::dot(acc[p][0], low, w.plane[p]);
      acc[p][1] = Words::dot(acc[p][1], high, w.plane[p]);
    }
  }
  for (int half = 0; half < 2; ++half) {
    int32_t lanes[2][Words::kSize / 2] = {};
    for (int p = 0; p < kPlanes; ++p) Words::store(lanes[p], acc[p][half]);
    for (int i = 0; i < Words::kSize / 2; ++i) {
      double* const sum = sums + column + i / 4 * 8 + half * 4 + i % 4;
      *sum = (starts ? 0 : *sum) + (lanes[0][i] + 256.0 * lanes[1][i]);
    }
  }
}

template <Storage storage, int kPlanes>
inline void backward_planes(const IntegerRows& rows, const Digits<int16_t>& gamma, int outputs,
                            int64_t begin, int64_t end, double* sums, int64_t sums_stride) {
  for (int64_t column = begin; column < end; column += Words::kSize) {
    for (int o = 0; o < outputs; ++o) {
      linear::Ahead* const ahead = o == 0 && column % kColumnUnit == 0 ? rows.ahead : nullptr;
      for (int row = 0; row < rows.count; row += kWideRows) {
        const int last = row + kWideRows < rows.count ? row + kWideRows : rows.count;
        backward_wide_tile<storage, kPlanes>(rows, row, last, gamma.values + o * gamma.stride,
                                             column, ahead, row == 0, sums + o * sums_stride);
      }
    }
  }
}

template <Storage storage>
inline void forward_wide(const IntegerRows& rows, const Digits<int16_t>& z, int outputs,
                         int64_t begin, int64_t end, int64_t* dots, int64_t dots_stride) {
  const auto run = z.bits <= 8 ? forward_planes<storage, 1> : forward_planes<storage, 2>;
  run(rows, z, outputs, begin, end, dots, dots_stride);
}

template <Storage storage>
inline void backward_wide(const IntegerRows& rows, const Digits<int16_t>& gamma, int outputs,
                          int64_t begin, int64_t end, double* sums, int64_t sums_stride) {
  const auto run = gamma.bits <= 8 ? backward_planes<storage, 1> : backward_planes<storage, 2>;
  run(rows, gamma, outputs, begin, end, sums, sums_stride);
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_INT16_DOT_PRODUCTS_H_
