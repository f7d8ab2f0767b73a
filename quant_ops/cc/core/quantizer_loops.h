// What each compilation of quantizer_loops.cc and rounded_matmul.cc exports.
#ifndef QUANT_OPS_CORE_QUANTIZER_LOOPS_H_
#define QUANT_OPS_CORE_QUANTIZER_LOOPS_H_

#include "quantize.h"

namespace quant_ops {

struct Loops {
  const char* instruction_set;
  void (*fixed_point)(const FixedPointSpec&, CarrierType, const void*, void*, int64_t, int64_t);
  void (*scaled_integer)(const ScaledIntegerSpec&, CarrierType, const void*, void*, int64_t,
                         int64_t);
  void (*minifloat)(const MinifloatSpec&, CarrierType, const void*, void*, int64_t, int64_t);
  void (*level)(const LevelSpec&, CarrierType, const void*, void*, int64_t, int64_t);
  void (*block_scaled)(const BlockScaledSpec&, CarrierType, const void*, void*, int64_t, int64_t);
  double (*read_element)(CarrierType, const void*, int64_t);
  void (*matmul_fixed_point)(const FixedPointSpec&, const Product&, int64_t, int64_t);
  void (*matmul_minifloat)(const MinifloatSpec&, const Product&, int64_t, int64_t);
};

namespace portable {
extern const Loops kLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Loops kLoops;
}
namespace avx512 {
extern const Loops kLoops;
}
#endif

}  // namespace quant_ops

#endif  // QUANT_OPS_CORE_QUANTIZER_LOOPS_H_
