// The loops that read the user's features, compiled once per instruction set; all of them give the
// same bits.
#ifndef QUANT_OPS_LINEAR_DATA_KERNELS_H_
#define QUANT_OPS_LINEAR_DATA_KERNELS_H_

#include <cstdint>

#include "features.h"

namespace quant_ops::linear {

// Column j becomes (x - centres[j]) * factors[j], in double precision.
struct Rescaling {
  const double* centres;  // null: 0
  const double* factors;
};

// For features that are read as Real, float or double.
template <class Real>
struct DataKernels {
  // Rows [first, first + count) of any features, to [count, columns].
  void (*read)(const Features& features, int64_t first, int count, Real* out);
  // Each column's smallest and largest number, and sum of squares, brought up to date by some rows.
  void (*survey)(const Real* rows, int64_t stride, int count, int64_t columns, Real* low,
                 Real* high, double* squares);
  // A row to the nearest integers in [-limit, limit]; returns the sum of their squares.
  double (*to_bytes)(const Real* row, const Rescaling& rescaling, int64_t columns, int32_t limit,
                     int8_t* out);
  double (*to_words)(const Real* row, const Rescaling& rescaling, int64_t columns, int32_t limit,
                     int16_t* out);
  // A row, rescaled; returns the sum of its squares.
  double (*to_float)(const Real* row, const Rescaling& rescaling, int64_t columns, float* out);
  double (*to_double)(const Real* row, const Rescaling& rescaling, int64_t columns, double* out);
};

struct DataKernelTable {
  DataKernels<float> from_float;
  DataKernels<double> from_double;
};

// Of the best instruction set, as kernels().
const DataKernelTable& data_kernels();

template <class Real>
const DataKernels<Real>& data_kernels_from() {
  if constexpr (sizeof(Real) == sizeof(float)) {
    return data_kernels().from_float;
  } else {
    return data_kernels().from_double;
  }
}

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_DATA_KERNELS_H_
