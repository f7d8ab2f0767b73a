// The scales of one call of scaled_integer, in the form that its loops read.
#ifndef QUANT_OPS_CORE_SCALED_INTEGER_SCALES_H_
#define QUANT_OPS_CORE_SCALED_INTEGER_SCALES_H_

#include <cstdint>
#include <vector>

#include "quantize.h"

namespace quant_ops {

// Made once for all threads, and to be kept while they run.
class ScaleTable {
 public:
  // For elements of `type`, element i with scale (i / inner) % scales.size(). The scales are valid
  // and were values of scale_type; word_bits and overflow are spec's.
  ScaleTable(const ScaledIntegerSpec& spec, CarrierType type, CarrierType scale_type,
             const std::vector<double>& scales, int64_t inner);
  ScaleTable(const ScaleTable&) = delete;
  ScaleTable& operator=(const ScaleTable&) = delete;

  // Points into this table.
  const Scales& scales() const { return scales_; }

 private:
  Scales scales_;
  std::vector<float> floats_;
  std::vector<double> doubles_;
};

}  // namespace quant_ops

#endif  // QUANT_OPS_CORE_SCALED_INTEGER_SCALES_H_
