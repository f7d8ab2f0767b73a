// Arrays of the core's four element types as bytes, and what they are filled with.
#ifndef QUANT_OPS_TESTS_ARRAY_H_
#define QUANT_OPS_TESTS_ARRAY_H_

#include <cstdint>
#include <vector>

#include "../core/quantize.h"
#include "random.h"

namespace quant_ops {

// The bytes of the elements and not one more, so that AddressSanitizer sees any overrun.
using Array = std::vector<unsigned char>;

// FNV-1a.
inline uint64_t hash_of(const Array& bytes) {
  uint64_t hash = bytes.size();
  for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001B3u;
  return hash;
}

// An element as its bits, in the low end.
struct TypeFacts {
  int bytes;
  int mantissa_bits;
  int max_exponent;

  uint64_t one() const { return uint64_t{1} << mantissa_bits; }  // the smallest normal number
  uint64_t infinity() const { return (uint64_t{2} * max_exponent + 1) << mantissa_bits; }
  uint64_t sign() const { return uint64_t{1} << (8 * bytes - 1); }
};

TypeFacts facts(CarrierType type);

uint64_t element(CarrierType type, const Array& array, int64_t index);
void set_element(CarrierType type, int64_t index, uint64_t bits, Array* array);

// Special values, any bits, and mostly numbers of few bits, or next to one, whose exponents are in
// [lowest, highest]; one in `special_odds` is special.
uint64_t draw_element(Random& random, CarrierType type, int lowest, int highest,
                      uint64_t special_odds);

// A finite number of the type, not negative.
double draw_value(Random& random, CarrierType type);

}  // namespace quant_ops

#endif  // QUANT_OPS_TESTS_ARRAY_H_
