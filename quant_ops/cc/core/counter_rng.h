// Counter-based random bits: a pure function of (seed, counter, element index), so they depend on
// neither thread count nor process nor evaluation order.
//
//   mix64  = the finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
//            generators", OOPSLA 2014)
//   s      = mix64(mix64(mix64(seed + c0) ^ mix64(counter + c1)) ^ (index >> 32))
//   k0, k1 = low, high 32 bits of s
//   bits   = triple32(index) (Wellons, "Prospecting for hash functions", 2018), with k0 xored into
//            its input and k1 added after the first multiplication
//
// Were k1 not injected, two seeds would only xor the index with two constants: their streams would
// be the same numbers in another order. Adding it in the middle gives every seed its own
// permutation.
#ifndef QUANT_OPS_CORE_COUNTER_RNG_H_
#define QUANT_OPS_CORE_COUNTER_RNG_H_

#include <cstdint>

#include "per_instruction_set.h"
#include "quantize.h"

namespace quant_ops::QUANT_OPS_ISA {

struct Keys {
  uint32_t k0;
  uint32_t k1;
};

inline uint64_t mix64(uint64_t state) {
  state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9u;
  state = (state ^ state >> 27) * 0x94D049BB133111EBu;
  return state ^ state >> 31;
}

// The keys of the 2^32 elements whose index has these upper 32 bits.
inline Keys make_keys(const Stream& stream, uint32_t index_high) {
  uint64_t state = mix64(stream.seed + 0x9E3779B97F4A7C15u);
  state = mix64(state ^ mix64(stream.counter + 0xD1B54A32D192ED03u));
  state = mix64(state ^ index_high);
  return {static_cast<uint32_t>(state), static_cast<uint32_t>(state >> 32)};
}

inline uint32_t random_bits(Keys keys, uint32_t index_low) {
  uint32_t bits = index_low ^ keys.k0;
  bits = (bits ^ bits >> 17) * 0xED5AD4BBu;
  bits = ((bits ^ bits >> 11) + keys.k1) * 0xAC4C1B51u;
  bits = (bits ^ bits >> 15) * 0x31848BABu;
  return bits ^ bits >> 14;
}

// The upper 31 bits, as the non-negative integers that rounding.h compares with.
inline void fill_random_bits31(const Stream& stream, int64_t first, int count, int32_t* bits31) {
  const uint32_t low = static_cast<uint32_t>(first);
  const Keys keys = make_keys(stream, static_cast<uint32_t>(static_cast<uint64_t>(first) >> 32));
  QUANT_OPS_VECTOR_LOOP
  for (int i = 0; i < count; ++i) {
    bits31[i] = static_cast<int32_t>(random_bits(keys, low + static_cast<uint32_t>(i)) >> 1);
  }
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_COUNTER_RNG_H_
