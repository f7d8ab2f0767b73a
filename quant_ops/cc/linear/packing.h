// The solvers' own copies of the data: rows in the order of sampling_order, so that a batch is
// consecutive memory, quantized or converted once.
#ifndef QUANT_OPS_LINEAR_PACKING_H_
#define QUANT_OPS_LINEAR_PACKING_H_

#include <cstdint>
#include <vector>

#include "huge_page_arrays.h"
#include "kernel_tables.h"
#include "problem.h"
#include "team.h"

namespace quant_ops::linear {

// Columns of the model: the features', then the intercept's.
inline int64_t model_columns(const Features& features) {
  return features.columns + (features.has_intercept ? 1 : 0);
}

struct FeatureStatistics {
  double largest = 0;      // |x|, scaled
  double mean_square = 0;  // of an element; not finite if an element is not
  bool has_negative = false;

  double intercept_value() const;
};
FeatureStatistics statistics(const Features& features, int64_t rows, Team& team);

struct PackedIntegers {
  Storage storage;
  Array<uint8_t> data;
  int64_t stride;           // in bytes
  double scale;             // x = scale * integer
  double mean_square_norm;  // of a row
  double intercept_value;
};

// Nearest multiples of max |x| / (2^(data_bits-1) - 1); `wide` stores 4 bits in bytes.
PackedIntegers pack_integers(const Features& features, const FeatureStatistics& facts,
                             const std::vector<int64_t>& order, int data_bits, bool wide,
                             Team& team);

template <class Real>
struct PackedFloats {
  Array<Real> data;
  int64_t stride;
  double intercept_value;
};
template <class Real>
PackedFloats<Real> pack_floats(const Features& features, const FeatureStatistics& facts,
                               const std::vector<int64_t>& order, Team& team);

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_PACKING_H_
