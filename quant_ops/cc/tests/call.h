// A call of the core with parameters from all over their documented ranges, and an array for it.
#ifndef QUANT_OPS_TESTS_CALL_H_
#define QUANT_OPS_TESTS_CALL_H_

#include <cstdint>
#include <functional>

#include "../core/quantize.h"
#include "array.h"
#include "random.h"

namespace quant_ops {

// The array is [groups, block_size, inner], elementwise calls have groups of one; what a call is
// asked for are blocks: block b is column b % inner of group b / inner.
struct Call {
  std::function<void(CarrierType, const void*, void*, int64_t, int64_t)> work;
  CarrierType type = CarrierType::kFloat;
  int lowest = 0, highest = 0;  // exponents of x where the grid is neither 0 nor saturated
  bool finite = true;           // every result is, unless x is NaN
  bool idempotent = false;      // a result is its own result
  int64_t block_size = 1;
  int64_t inner = 1;
  int64_t first_group = 0;  // the array's first one: those before it are not in memory
  int64_t groups = 0;

  int64_t count() const { return groups * block_size * inner; }
  int64_t first_block() const { return first_group * inner; }
  int64_t end_block() const { return (first_group + groups) * inner; }
  int64_t block_of(int64_t element) const {
    return first_block() + element / (block_size * inner) * inner + element % inner;
  }

  uint64_t element(const Array& array, int64_t index) const {
    return quant_ops::element(type, array, index);
  }
  uint64_t magnitude(const Array& array, int64_t index) const {
    return element(array, index) & ~facts(type).sign();
  }

  // Blocks [begin, end) from `in` to `out`, which may be the same array.
  void run(const Array& in, Array* out, int64_t begin, int64_t end) const;
};

Call draw_call(Random& random);

// Grid points, what is next to them, special values, any bits.
Array draw_array(Random& random, const Call& call);

}  // namespace quant_ops

#endif  // QUANT_OPS_TESTS_CALL_H_
