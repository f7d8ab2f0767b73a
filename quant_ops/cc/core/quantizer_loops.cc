// Compiled once per instruction set, with QUANT_OPS_ISA naming it (build.py has the flags).
#include "quantizer_loops.h"

#include "block_scaled.h"
#include "fixed_point.h"
#include "levels.h"
#include "minifloat.h"
#include "per_instruction_set.h"
#include "rounded_matmul.h"
#include "scaled_integer.h"

namespace quant_ops::QUANT_OPS_ISA {
namespace {

// Calls visit with an element of the type, of which only the C++ type matters.
template <class Visitor>
auto with_type(CarrierType type, Visitor visit) {
  switch (type) {
    case CarrierType::kHalf:
      return visit(Half{});
    case CarrierType::kBFloat16:
      return visit(BFloat16{});
    case CarrierType::kFloat:
      return visit(float{});
    case CarrierType::kDouble:
      break;
  }
  return visit(double{});
}

void run_fixed_point(const FixedPointSpec& spec, CarrierType type, const void* in, void* out,
                     int64_t begin, int64_t end) {
  with_type(type, [&](auto element) {
    fixed_point_range<decltype(element)>(spec, in, out, begin, end);
  });
}

void run_scaled_integer(const ScaledIntegerSpec& spec, CarrierType type, const void* in, void* out,
                        int64_t begin, int64_t end) {
  with_type(type, [&](auto element) {
    scaled_integer_range<decltype(element)>(spec, in, out, begin, end);
  });
}

void run_minifloat(const MinifloatSpec& spec, CarrierType type, const void* in, void* out,
                   int64_t begin, int64_t end) {
  with_type(type, [&](auto element) {
    minifloat_range<decltype(element)>(spec, in, out, begin, end);
  });
}

void run_level(const LevelSpec& spec, CarrierType type, const void* in, void* out, int64_t begin,
               int64_t end) {
  with_type(type,
            [&](auto element) { level_range<decltype(element)>(spec, in, out, begin, end); });
}

void run_block_scaled(const BlockScaledSpec& spec, CarrierType type, const void* in, void* out,
                      int64_t begin, int64_t end) {
  with_type(type, [&](auto element) {
    BlockScaled<decltype(element)>(spec, in, out).run(begin, end);
  });
}

double run_read_element(CarrierType type, const void* data, int64_t index) {
  return with_type(type, [&](auto element) {
    double value;
    widen(static_cast<const decltype(element)*>(data)[index], &value);
    return value;
  });
}

}  // namespace

#define QUANT_OPS_NAME(isa) QUANT_OPS_NAME_LITERAL(isa)
#define QUANT_OPS_NAME_LITERAL(isa) #isa

extern const Loops kLoops;
const Loops kLoops = {QUANT_OPS_NAME(QUANT_OPS_ISA), run_fixed_point,      run_scaled_integer,
                      run_minifloat,                 run_level,            run_block_scaled,
                      run_read_element,              matmul_fixed_point,   matmul_minifloat};

#undef QUANT_OPS_NAME
#undef QUANT_OPS_NAME_LITERAL

}  // namespace quant_ops::QUANT_OPS_ISA
