// Outputs in groups of a size that the compiler knows.
#ifndef QUANT_OPS_LINEAR_UNROLLED_OUTPUTS_H_
#define QUANT_OPS_LINEAR_UNROLLED_OUTPUTS_H_

#include <type_traits>
#include <utility>

#include "../core/per_instruction_set.h"

namespace quant_ops::QUANT_OPS_ISA {

// Calls visit(std::integral_constant<int, i>) for i < kCount: arrays that are only indexed by such
// constants are registers to the compiler from the start.
template <class Visitor, int... i>
inline void unrolled(Visitor visit, std::integer_sequence<int, i...>) {
  (visit(std::integral_constant<int, i>{}), ...);
}
template <int kCount, class Visitor>
inline void unrolled(Visitor visit) {
  unrolled(visit, std::make_integer_sequence<int, kCount>{});
}

// Calls visit(std::integral_constant<int, k>, first) for groups of k <= kMost outputs that are as
// even as can be.
template <int kMost, class Visitor>
inline void for_output_groups(int outputs, Visitor visit) {
  int output = 0;
  while (output < outputs) {
    const int left = outputs - output, groups = (left + kMost - 1) / kMost;
    const int size = (left + groups - 1) / groups;
    if constexpr (kMost >= 5) {
      if (size == 5) visit(std::integral_constant<int, 5>{}, output);
    }
    if constexpr (kMost >= 4) {
      if (size == 4) visit(std::integral_constant<int, 4>{}, output);
    }
    if constexpr (kMost >= 3) {
      if (size == 3) visit(std::integral_constant<int, 3>{}, output);
    }
    if constexpr (kMost >= 2) {
      if (size == 2) visit(std::integral_constant<int, 2>{}, output);
    }
    if (size == 1) visit(std::integral_constant<int, 1>{}, output);
    output += size;
  }
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_UNROLLED_OUTPUTS_H_
