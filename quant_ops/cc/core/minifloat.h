// Minifloat: q(x) = step * round(x / step), step = 2^(E - mantissa_bits), where E is the larger of
// x's exponent and min_exponent.
//
// Everything but the rounding itself is exact: the scalings are by powers of two, in an order that
// never leaves the range of C.
#ifndef QUANT_OPS_CORE_MINIFLOAT_H_
#define QUANT_OPS_CORE_MINIFLOAT_H_

#include <cstdint>

#include "elementwise.h"
#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"
#include "rounding.h"
#include "word_limits.h"

namespace quant_ops::QUANT_OPS_ISA {

enum class Significands {
  kUniform,  // the spacing below the smallest normal number is that above it: subnormals
  kGap,      // nothing between it and zero
  kOne,      // no mantissa bits: every significand is 1, a tie goes to the even exponent
};

template <class C, Significands significands, bool saturates>
struct MinifloatGrid {
  using Facts = Carrier<C>;
  using Bits = typename Facts::Bits;
  static constexpr Bits kOne = Facts::kSmallestNormal;  // of the exponent field
  static constexpr int kShift = Facts::kPrecision - 1;

  Bits smallest_normal;  // its bits
  C steps;               // 2^(mantissa_bits - 1)
  C step;                // 2^-mantissa_bits
  Bits odd;              // the exponent field's lowest bit where the target's exponent is even
  Bits largest;          // the largest number's bits
  Bits beyond;           // what takes the place of a result above it
  Bits beyond_sign;      // whether that takes the sign of x
  C zero;                // -0 keeps a zero's sign, +0 clears it

  // Nothing leaves the range of C: x in units of 2^(E - 1) is below 4, whatever E is. Bits of
  // magnitudes are ordered as the magnitudes are, and NaN is above all. Infinity becomes NaN, but
  // not on the way to a cast.
  template <Rounding rounding>
  C quantize(C x, int32_t bits31) const {
    constexpr bool kCasts = rounding == Rounding::kStochastic;
    Bits magnitude = magnitude_bits(x);
    if constexpr (kCasts && saturates) magnitude = smaller(magnitude, largest);
    const C limited = bit_cast<C>(magnitude);
    const Bits sign = bit_cast<Bits>(x) & ~Facts::kMagnitudeMask;
    const bool normal = magnitude >= smallest_normal;
    const Bits unit = larger(magnitude, smallest_normal) & Facts::kInfinity;
    const C units_per_2 = bit_cast<C>(static_cast<Bits>(Facts::kInfinity - unit));
    const C half_units = not_vanished<rounding>(limited * units_per_2, limited);
    const bool coarse = significands == Significands::kGap && !normal;
    const C multiplier = coarse ? C{0.5} : steps;
    const C divisor = coarse ? C{1} : step;  // chosen here: later, and GCC makes two paths
    C y = half_units * multiplier;
    if constexpr (kCasts && !saturates) {
      y = bit_cast<C>(smaller(bit_cast<Bits>(y), bit_cast<Bits>(C{0x1p24})));
    }
    const bool even = normal & ((unit & kOne) == odd);
    const C rounded = round_magnitude<rounding>(y, even, sign, bits31);
    const C result = rounded * divisor * bit_cast<C>(unit);
    const Bits bits = bit_cast<Bits>(result);
    if constexpr (kCasts && saturates) return bit_cast<C>(bits | sign) + zero;
    if constexpr (saturates) return bit_cast<C>(smaller(bits, largest) | sign) + zero;
    const bool within = bits <= largest;
    return bit_cast<C>(within ? bits | sign : overflow<rounding>(magnitude, sign)) + zero;
  }

  static Bits smaller(Bits a, Bits b) { return a < b ? a : b; }
  static Bits larger(Bits a, Bits b) { return a > b ? a : b; }

  template <Rounding rounding>
  static C round_magnitude(C y, bool even, Bits sign, int32_t bits31) {
    if constexpr (rounding == Rounding::kNearestEven && significands == Significands::kOne) {
      return even & (y == C{1.5}) ? C{1} : round_even(y);
    } else if constexpr (is_symmetric(rounding)) {
      return round_magnitude_steps<rounding>(y, bits31);
    } else {
      const C with_sign = bit_cast<C>(static_cast<Bits>(bit_cast<Bits>(y) | sign));
      return absolute(round_steps<rounding>(with_sign, bits31));
    }
  }

  // IEEE 754-2019, section 7.4: a rounding that points inwards stops at the largest finite number.
  template <Rounding rounding>
  Bits overflow(Bits magnitude, Bits sign) const {
    const Bits out = beyond | (sign & beyond_sign);
    const Bits in = largest | sign;
    bool inwards = false;
    if constexpr (rounding == Rounding::kTowardZero) inwards = true;
    if constexpr (rounding == Rounding::kDown) inwards = sign == 0;
    if constexpr (rounding == Rounding::kUp) inwards = sign != 0;
    return inwards & (magnitude != Facts::kInfinity) ? in : out;
  }

  // The saturating grid times 2^exponent, if that leaves its numbers in the range of C.
  MinifloatGrid scaled(int32_t exponent) const {
    MinifloatGrid grid = *this;
    const Bits shift = static_cast<Bits>(exponent) << kShift;
    grid.smallest_normal += shift;
    grid.largest += shift;
    return grid;
  }
};

// The largest number of the grid, times 2^scale, that T can hold.
template <class T>
inline double minifloat_largest(const MinifloatSpec& spec, int scale = 0) {
  constexpr int kMaxExponent = 1 - Carrier<T>::kMinExponent;
  const int exponent = spec.max_exponent + scale;
  if (exponent <= kMaxExponent) {
    return held<T>(static_cast<uint64_t>(spec.max_significand), exponent - spec.mantissa_bits);
  }
  // All multiples of the step in T's top binade, if they are normal numbers there.
  const int min_exponent = spec.min_exponent + scale;
  int step = kMaxExponent - spec.mantissa_bits;
  if (kMaxExponent < min_exponent) step = min_exponent - (spec.subnormals ? spec.mantissa_bits : 0);
  return step > kMaxExponent ? 0 : held<T>((uint64_t{2} << (kMaxExponent - step)) - 1, step);
}

template <class T, class C, Significands significands, bool saturates>
inline MinifloatGrid<C, significands, saturates> minifloat_grid(const MinifloatSpec& spec) {
  using Grid = MinifloatGrid<C, significands, saturates>;
  using Bits = typename Carrier<C>::Bits;
  constexpr int kBias = 1 - Carrier<C>::kMinExponent;
  Grid grid;
  grid.smallest_normal = static_cast<Bits>(spec.min_exponent + kBias) << Grid::kShift;
  grid.steps = static_cast<C>(power(spec.mantissa_bits - 1));
  grid.step = static_cast<C>(power(-spec.mantissa_bits));
  grid.odd = spec.odd_bias ? 0 : Grid::kOne;  // the bias of C is odd
  grid.largest = bit_cast<Bits>(static_cast<C>(minifloat_largest<T>(spec)));
  const bool nan = spec.overflow == Overflow::kNan;
  grid.beyond = nan ? Carrier<C>::kNan : Carrier<C>::kInfinity;
  grid.beyond_sign = nan ? 0 : ~Carrier<C>::kMagnitudeMask;
  grid.zero = spec.signed_zero ? -C{0} : C{0};
  return grid;
}

template <class T, class C, Significands significands>
inline void minifloat_range(const MinifloatSpec& spec, const void* in, void* out, int64_t begin,
                            int64_t end) {
  const auto run = [&](const auto& grid) {
    quantize_range<T, C>(grid, spec.rounding, spec.stream, in, out, begin, end);
  };
  if (spec.overflow == Overflow::kSaturate) {
    run(minifloat_grid<T, C, significands, true>(spec));
  } else {
    run(minifloat_grid<T, C, significands, false>(spec));
  }
}

template <class T, class C>
inline void minifloat_range(const MinifloatSpec& spec, const void* in, void* out, int64_t begin,
                            int64_t end) {
  if (spec.mantissa_bits == 0) {
    minifloat_range<T, C, Significands::kOne>(spec, in, out, begin, end);
  } else if (spec.subnormals) {
    minifloat_range<T, C, Significands::kUniform>(spec, in, out, begin, end);
  } else {
    minifloat_range<T, C, Significands::kGap>(spec, in, out, begin, end);
  }
}

// Narrow carriers compute in float where the grid's exponents are normal there.
template <class T>
inline void minifloat_range(const MinifloatSpec& spec, const void* in, void* out, int64_t begin,
                            int64_t end) {
  if constexpr (sizeof(T) < sizeof(double)) {
    if (-126 <= spec.min_exponent && spec.max_exponent <= 127) {
      return minifloat_range<T, float>(spec, in, out, begin, end);
    }
  }
  minifloat_range<T, double>(spec, in, out, begin, end);
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_MINIFLOAT_H_
