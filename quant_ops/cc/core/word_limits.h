// The smallest and largest integer of a word, rounded inwards to what the carrier can hold.
#ifndef QUANT_OPS_CORE_WORD_LIMITS_H_
#define QUANT_OPS_CORE_WORD_LIMITS_H_

#include <cstdint>

#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"

namespace quant_ops::QUANT_OPS_ISA {

struct Limits {
  double low;
  double high;
};

// Clears all but the leading `precision` bits.
inline uint64_t truncate_integer(uint64_t integer, int precision) {
  const int length = integer == 0 ? 0 : 64 - __builtin_clzll(integer);
  return length <= precision ? integer : integer >> (length - precision) << (length - precision);
}

// The largest integer up to `limit` whose multiple of 2^-frac_bits is a value of T: at most
// kPrecision bits, at most the maximum, a multiple of the smallest subnormal.
template <class T>
inline double inwards(uint64_t limit, int frac_bits) {
  // May be infinite, and is then above any limit; else a product with a power of two, so exact.
  const double largest = Carrier<T>::kMax * power(frac_bits);
  if (largest < 0x1p64 && static_cast<uint64_t>(largest) < limit) {
    limit = static_cast<uint64_t>(largest);
  }
  limit = truncate_integer(limit, Carrier<T>::kPrecision);
  const int unit = frac_bits + Carrier<T>::kSubnormalExponent;
  if (unit >= 64) return 0;
  if (unit > 0) limit = limit >> unit << unit;
  return static_cast<double>(limit);
}

// The largest multiple of 2^lowest up to significand * 2^lowest that T can hold, if that is within
// T's exponents: no longer than T's precision, a multiple of its smallest number.
template <class T>
inline double held(uint64_t significand, int lowest) {
  significand = truncate_integer(significand, Carrier<T>::kPrecision);
  const int lost = Carrier<T>::kSubnormalExponent - lowest;
  if (lost >= 64) return 0;
  if (lost > 0) significand = significand >> lost << lost;
  return __builtin_ldexp(static_cast<double>(significand), lowest);
}

template <class T>
inline Limits fixed_point_limits(const FixedPointSpec& spec) {
  const uint64_t half = uint64_t{1} << (spec.word_bits - 1);
  const uint64_t low = spec.is_signed ? half : 0;
  const uint64_t high = spec.is_signed ? half - 1 : half - 1 + half;
  return {-inwards<T>(low, spec.frac_bits), inwards<T>(high, spec.frac_bits)};
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_WORD_LIMITS_H_
