// Compiled once per instruction set, as quantizer_loops.cc is.
#include "rounded_matmul.h"

#include "cache_blocks.h"
#include "matmul_tile.h"
#include "running_sum.h"

namespace quant_ops::QUANT_OPS_ISA {
namespace {

template <class Spec>
void run(const Spec& spec, const Product& product, int64_t begin, int64_t end) {
  with_sum(spec, [&](const auto& sum) {
    with_rounding(spec.rounding, [&](auto tag) {
      constexpr Rounding kRounding = decltype(tag)::value;
      for (int64_t i = begin; i < end; ++i) {
        compute_tile<kRounding>(sum, spec.stream, product, i);
      }
    });
  });
}

}  // namespace

void matmul_fixed_point(const FixedPointSpec& spec, const Product& product, int64_t begin,
                        int64_t end) {
  run(spec, product, begin, end);
}

void matmul_minifloat(const MinifloatSpec& spec, const Product& product, int64_t begin,
                      int64_t end) {
  run(spec, product, begin, end);
}

}  // namespace quant_ops::QUANT_OPS_ISA
