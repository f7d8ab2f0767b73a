// Compiled once per instruction set, with QUANT_OPS_ISA naming it (build.py has the flags).
#include "loops.h"

#include "fixed_point.h"
#include "isa.h"
#include "scaled_integer.h"

namespace quant_ops::QUANT_OPS_ISA {
namespace {

void run_fixed_point(const FixedPointSpec& spec, CarrierType type, const void* in, void* out,
                     int64_t begin, int64_t end) {
  switch (type) {
    case CarrierType::kHalf:
      return fixed_point_range<Half>(spec, in, out, begin, end);
    case CarrierType::kBFloat16:
      return fixed_point_range<BFloat16>(spec, in, out, begin, end);
    case CarrierType::kFloat:
      return fixed_point_range<float>(spec, in, out, begin, end);
    case CarrierType::kDouble:
      return fixed_point_range<double>(spec, in, out, begin, end);
  }
}

void run_scaled_integer(const ScaledIntegerSpec& spec, CarrierType type, const void* in, void* out,
                        int64_t begin, int64_t end) {
  switch (type) {
    case CarrierType::kHalf:
      return scaled_integer_range<Half>(spec, in, out, begin, end);
    case CarrierType::kBFloat16:
      return scaled_integer_range<BFloat16>(spec, in, out, begin, end);
    case CarrierType::kFloat:
      return scaled_integer_range<float>(spec, in, out, begin, end);
    case CarrierType::kDouble:
      return scaled_integer_range<double>(spec, in, out, begin, end);
  }
}

ScaleChannel run_make_channel(CarrierType type, double scale, int word_bits) {
  switch (type) {
    case CarrierType::kHalf:
      return make_channel<Half>(scale, word_bits);
    case CarrierType::kBFloat16:
      return make_channel<BFloat16>(scale, word_bits);
    case CarrierType::kFloat:
      return make_channel<float>(scale, word_bits);
    case CarrierType::kDouble:
      break;
  }
  return make_channel<double>(scale, word_bits);
}

double run_read_element(CarrierType type, const void* data, int64_t index) {
  switch (type) {
    case CarrierType::kHalf:
      return to_float(static_cast<const Half*>(data)[index]);
    case CarrierType::kBFloat16:
      return to_float(static_cast<const BFloat16*>(data)[index]);
    case CarrierType::kFloat:
      return static_cast<const float*>(data)[index];
    case CarrierType::kDouble:
      break;
  }
  return static_cast<const double*>(data)[index];
}

}  // namespace

#define QUANT_OPS_NAME(isa) QUANT_OPS_NAME_LITERAL(isa)
#define QUANT_OPS_NAME_LITERAL(isa) #isa

extern const Loops kLoops;
const Loops kLoops = {QUANT_OPS_NAME(QUANT_OPS_ISA), run_fixed_point, run_scaled_integer,
                      run_make_channel, run_read_element};

#undef QUANT_OPS_NAME
#undef QUANT_OPS_NAME_LITERAL

}  // namespace quant_ops::QUANT_OPS_ISA
