// Outputs in groups of a size that the compiler knows.
#ifndef QUANT_OPS_LINEAR_OUTPUT_GROUPS_H_
#define QUANT_OPS_LINEAR_OUTPUT_GROUPS_H_

#include <type_traits>

#include "../core/isa.h"

namespace quant_ops::QUANT_OPS_ISA {

// Calls visit(std::integral_constant<int, k>, first) for groups of k <= kMost outputs that are as
// even as can be.
template <int kMost, class Visitor>
inline void for_output_groups(int outputs, Visitor visit) {
  int output = 0;
  while (output < outputs) {
    const int left = outputs - output, groups = (left + kMost - 1) / kMost;
    const int size = (left + groups - 1) / groups;
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

#endif  // QUANT_OPS_LINEAR_OUTPUT_GROUPS_H_
