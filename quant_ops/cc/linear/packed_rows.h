// Rows of the solvers' copies, in a thread's own memory: some are filled before they are written to
// their places, as reading and writing in turns takes longer. After the features come zeros; the
// intercept's column, a constant, is stored nowhere.
#ifndef QUANT_OPS_LINEAR_PACKED_ROWS_H_
#define QUANT_OPS_LINEAR_PACKED_ROWS_H_

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "data_kernels.h"
#include "huge_page_arrays.h"
#include "kernel_tables.h"

namespace quant_ops::linear {

// What all rows have in common.
struct RowShape {
  int64_t features;  // columns in the user's memory
  int64_t bytes;     // that are written
  Rescaling rescaling;
  double constant_square = 0;  // of the intercept's column, in the copy's units
  int32_t limit = 0;           // of integers
};

// Best of 2^16 to 2^20 bytes: integers in a quarter of a megabyte, floats in half of one.
template <class Element>
int64_t rows_at_once(const RowShape& shape) {
  const int64_t bytes = std::is_integral_v<Element> ? 1 << 18 : 1 << 19;
  return std::clamp<int64_t>(bytes / shape.bytes, 1, 2048);
}

// fill(i, row) returns the row's sum of squares, in the copy's units; line(i) is what it wrote.
// Element: int8_t, int16_t, float or double.
template <class Real, class Element>
class PlainRows {
 public:
  explicit PlainRows(const RowShape& shape)
      : shape_(shape),
        stride_(shape.bytes / static_cast<int64_t>(sizeof(Element))),
        lines_(stride_ * rows_at_once<Element>(shape)) {}

  double fill(int64_t i, const Real* row) {
    const DataKernels<Real>& kernels = data_kernels_from<Real>();
    Element* const out = lines_.data() + i * stride_;
    if constexpr (std::is_same_v<Element, int8_t>) {
      return kernels.to_bytes(row, shape_.rescaling, shape_.features, shape_.limit, out);
    } else if constexpr (std::is_same_v<Element, int16_t>) {
      return kernels.to_words(row, shape_.rescaling, shape_.features, shape_.limit, out);
    } else if constexpr (std::is_same_v<Element, float>) {
      return kernels.to_float(row, shape_.rescaling, shape_.features, out);
    } else {
      return kernels.to_double(row, shape_.rescaling, shape_.features, out);
    }
  }
  int64_t capacity() const { return rows_at_once<Element>(shape_); }
  const Element* line(int64_t i) const { return lines_.data() + i * stride_; }

 private:
  const RowShape shape_;
  const int64_t stride_;
  Array<Element> lines_;
};

// Two integers to a byte: see Storage::kInt4.
template <class Real>
class NibbleRows {
 public:
  explicit NibbleRows(const RowShape& shape)
      : bytes_(shape.bytes),
        integers_(doubled(shape)),
        packed_(bytes_ * rows_at_once<uint8_t>(shape)) {}

  double fill(int64_t i, const Real* row) {
    const double squares = integers_.fill(0, row);
    const int8_t* const values = integers_.line(0);
    uint8_t* const out = packed_.data() + i * bytes_;
    constexpr int kHalf = kColumnUnit / 2;
    for (int64_t half = 0; half < bytes_; half += kHalf) {
      for (int j = 0; j < kHalf; ++j) {
        const int low = values[2 * half + j] + 8, high = values[2 * half + kHalf + j] + 8;
        out[half + j] = static_cast<uint8_t>(low | high << 4);
      }
    }
    return squares;
  }
  int64_t capacity() const { return packed_.size() / bytes_; }
  const uint8_t* line(int64_t i) const { return packed_.data() + i * bytes_; }

 private:
  static RowShape doubled(RowShape shape) {
    shape.bytes *= 2;
    return shape;
  }

  const int64_t bytes_;
  PlainRows<Real, int8_t> integers_;
  Array<uint8_t> packed_;
};

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_PACKED_ROWS_H_
