// The second reading of the user's features: the solvers' own copies of the data, quantized or
// converted once. A batch's rows are consecutive memory.
#ifndef QUANT_OPS_LINEAR_PACKING_H_
#define QUANT_OPS_LINEAR_PACKING_H_

#include <cstdint>
#include <vector>

#include "column_survey.h"
#include "huge_page_arrays.h"
#include "kernel_tables.h"
#include "problem.h"
#include "solver.h"
#include "targets_and_weights.h"
#include "team.h"

namespace quant_ops::linear {

// What a solver copies from, with threads to do it.
struct Source {
  const Data& data;
  const FeatureStatistics& facts;
  Team& team;
};

struct PackedIntegers {
  Storage storage;
  Array<uint8_t> data;
  int64_t stride;           // in bytes
  double scale;             // x = scale * integer
  double mean_square_norm;  // of a row, with the intercept's constant
  double largest_row;       // squared norm times weight, of the mean weight's
  int32_t intercept;        // the constant as an integer; 0 without an intercept
  double intercept_value;   // scale * intercept
};

// Nearest multiples of max |x| / (2^(data_bits-1) - 1); `wide` stores 4 bits in bytes.
PackedIntegers pack_integers(const Source& source, const Samples& samples, int data_bits,
                             bool wide);

template <class Real>
struct PackedFloats {
  Array<Real> data;
  int64_t columns;  // and zeros up to the end of a line of memory
  int64_t stride;
  double largest_row;      // as above
  double intercept_value;  // 0 without an intercept
};
template <class Real>
PackedFloats<Real> pack_floats(const Source& source, const Samples& samples);

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_PACKING_H_
