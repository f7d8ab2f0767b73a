// Which instruction set the loops take: decided here for all of them.
#ifndef QUANT_OPS_CORE_INSTRUCTION_SET_H_
#define QUANT_OPS_CORE_INSTRUCTION_SET_H_

#include <optional>

namespace quant_ops {

enum class InstructionSet { kPortable, kAvx2, kAvx512 };

// The best one that the processor has, up to the one named by `limit` ("portable", "avx2",
// "avx512"; null or "" is no limit); nothing if `limit` names none. With `byte_products`, AVX-512
// counts only together with VNNI.
std::optional<InstructionSet> best_instruction_set(const char* limit, bool byte_products);

// The same, limited by the environment variable QUANT_OPS_ISA.
std::optional<InstructionSet> best_instruction_set(bool byte_products);

}  // namespace quant_ops

// The name of the best one, null if `limit` names none: for Python.
extern "C" const char* quant_ops_best_instruction_set(const char* limit, int byte_products);

#endif  // QUANT_OPS_CORE_INSTRUCTION_SET_H_
