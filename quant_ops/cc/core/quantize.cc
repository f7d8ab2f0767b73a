// The public interface over the loops of the best instruction set at hand.
#include "quantize.h"

#include <optional>

#include "float_environment.h"
#include "instruction_set.h"
#include "quantizer_loops.h"

namespace quant_ops {
namespace {

// nullptr if QUANT_OPS_ISA names no instruction set.
const Loops* select_loops() {
  const std::optional<InstructionSet> best = best_instruction_set(/*byte_products=*/false);
  if (!best) return nullptr;
#if defined(__x86_64__)
  if (*best == InstructionSet::kAvx512) return &avx512::kLoops;
  if (*best == InstructionSet::kAvx2) return &avx2::kLoops;
#endif
  return &portable::kLoops;
}

const Loops* loops() {
  static const Loops* const selected = select_loops();
  return selected;
}

}  // namespace

const char* instruction_set() { return loops() == nullptr ? nullptr : loops()->instruction_set; }

bool is_valid_scale(double scale) { return scale >= 0 && scale < __builtin_huge_val(); }

// The calls go through a table, so the compiler cannot move their arithmetic out of the scope.

double read_element(CarrierType type, const void* data, int64_t index) {
  const HonourSubnormals scope;
  return loops()->read_element(type, data, index);
}

void fixed_point(const FixedPointSpec& spec, CarrierType type, const void* in, void* out,
                 int64_t begin, int64_t end) {
  const HonourSubnormals scope;
  loops()->fixed_point(spec, type, in, out, begin, end);
}

void scaled_integer(const ScaledIntegerSpec& spec, CarrierType type, const void* in, void* out,
                    int64_t begin, int64_t end) {
  const HonourSubnormals scope;
  loops()->scaled_integer(spec, type, in, out, begin, end);
}

void minifloat(const MinifloatSpec& spec, CarrierType type, const void* in, void* out,
               int64_t begin, int64_t end) {
  const HonourSubnormals scope;
  loops()->minifloat(spec, type, in, out, begin, end);
}

void level(const LevelSpec& spec, CarrierType type, const void* in, void* out, int64_t begin,
           int64_t end) {
  const HonourSubnormals scope;
  loops()->level(spec, type, in, out, begin, end);
}

void block_scaled(const BlockScaledSpec& spec, CarrierType type, const void* in, void* out,
                  int64_t begin, int64_t end) {
  const HonourSubnormals scope;
  loops()->block_scaled(spec, type, in, out, begin, end);
}

void rounded_matmul(const FixedPointSpec& spec, const Product& product, int64_t begin,
                    int64_t end) {
  const HonourSubnormals scope;
  loops()->matmul_fixed_point(spec, product, begin, end);
}

void rounded_matmul(const MinifloatSpec& spec, const Product& product, int64_t begin, int64_t end) {
  const HonourSubnormals scope;
  loops()->matmul_minifloat(spec, product, begin, end);
}

}  // namespace quant_ops
