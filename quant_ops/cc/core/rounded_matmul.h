// What each compilation of rounded_matmul.cc has: a file of its own, as it takes as long as
// quantizer_loops.cc.
#ifndef QUANT_OPS_CORE_ROUNDED_MATMUL_H_
#define QUANT_OPS_CORE_ROUNDED_MATMUL_H_

#include <cstdint>

#include "per_instruction_set.h"
#include "quantize.h"

namespace quant_ops::QUANT_OPS_ISA {

void matmul_fixed_point(const FixedPointSpec& spec, const Product& product, int64_t begin,
                        int64_t end);
void matmul_minifloat(const MinifloatSpec& spec, const Product& product, int64_t begin,
                      int64_t end);

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_ROUNDED_MATMUL_H_
