#include "instruction_set.h"

#include <cstdlib>
#include <cstring>

namespace quant_ops {
namespace {

constexpr const char* kNames[] = {"portable", "avx2", "avx512"};

std::optional<InstructionSet> named(const char* name) {
  if (name == nullptr || *name == '\0') return InstructionSet::kAvx512;
  for (int i = 0; i < 3; ++i) {
    if (std::strcmp(name, kNames[i]) == 0) return static_cast<InstructionSet>(i);
  }
  return std::nullopt;
}

#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512(bool byte_products) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("fma") &&
         (!byte_products || __builtin_cpu_supports("avx512vnni"));
}
#endif

}  // namespace

std::optional<InstructionSet> best_instruction_set(const char* limit, bool byte_products) {
  const std::optional<InstructionSet> most = named(limit);
  if (!most) return std::nullopt;
#if defined(__x86_64__)
  if (*most == InstructionSet::kAvx512 && has_avx512(byte_products)) return *most;
  if (*most != InstructionSet::kPortable && has_avx2()) return InstructionSet::kAvx2;
#else
  static_cast<void>(byte_products);
#endif
  return InstructionSet::kPortable;
}

std::optional<InstructionSet> best_instruction_set(bool byte_products) {
  return best_instruction_set(std::getenv("QUANT_OPS_ISA"), byte_products);
}

}  // namespace quant_ops

const char* quant_ops_best_instruction_set(const char* limit, int byte_products) {
  const auto best = quant_ops::best_instruction_set(limit, byte_products != 0);
  return best ? quant_ops::kNames[static_cast<int>(*best)] : nullptr;
}
