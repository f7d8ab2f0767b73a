// The public interface over the loops of the best instruction set at hand.
#include "quantize.h"

#include <cstdlib>
#include <cstring>

#include "float_environment.h"
#include "loops.h"

namespace quant_ops {
namespace {

// The best set up to the one named by QUANT_OPS_ISA; nullptr if that names none.
const Loops* select_loops() {
  const char* limit = std::getenv("QUANT_OPS_ISA");
  if (limit == nullptr || *limit == '\0') limit = "avx512";
  const bool up_to_avx512 = std::strcmp(limit, "avx512") == 0;
  const bool up_to_avx2 = up_to_avx512 || std::strcmp(limit, "avx2") == 0;
  if (!up_to_avx2 && std::strcmp(limit, "portable") != 0) return nullptr;
#if defined(__x86_64__)
  if (up_to_avx512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("fma")) {
    return &avx512::kLoops;
  }
  if (up_to_avx2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return &avx2::kLoops;
  }
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
