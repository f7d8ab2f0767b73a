// Scaled integers from the exact quotient: x and scale have at most 24 significant bits, the word
// at most 20. With n an integer next to |x| / scale the remainder
//
//   e = |x| - n * scale,   -scale / 2 < e < scale
//
// is exact in single precision: where n > 0 it is a multiple of scale's last bit (if |x| < scale,
// then |x| > scale / 2 and the difference of such neighbours is exact), and where n = 0 it is |x|.
// Every rounding compares e with scale, so no quotient is ever rounded.
//
// The compute type C is float for scales that are 0 or in [2^-80, 2^80], where no intermediate value
// overflows or loses bits to underflow, and double for all others. x / scale at a distance of less
// than 2^-53 of itself from k / 2, k < 2^22, would need more than 24 bits in x or scale: the
// deterministic roundings of the quotient in double are the same.
#ifndef QUANT_OPS_CORE_EXACT_QUOTIENT_H_
#define QUANT_OPS_CORE_EXACT_QUOTIENT_H_

#include <cstdint>
#include <type_traits>

#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"
#include "rounding.h"

namespace quant_ops::QUANT_OPS_ISA {

// From here on C's spacing is 1, and the last bit of an integer says whether it is odd.
template <class C>
constexpr C kUnitSpacing = Carrier<C>::kPrecision == 24 ? C{0x1p23} : C{0x1p52};

// a * b + c rounded once. Without an instruction for it: the product is exact in double, and the
// two roundings after it keep the sign and change nothing that float can represent.
inline float multiply_add(float a, float b, float c) {
#if defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  return static_cast<float>(static_cast<double>(a) * static_cast<double>(b) + c);
#endif
}
// Rounded once where the product is exact, as it is for factors of 24 bits.
inline double multiply_add(double a, double b, double c) { return a * b + c; }

template <class C>
inline C times_sign_of(C value, C sign) {
  using Bits = typename Carrier<C>::Bits;
  const Bits sign_bit = bit_cast<Bits>(sign) & ~Carrier<C>::kMagnitudeMask;
  return bit_cast<C>(static_cast<Bits>(bit_cast<Bits>(value) ^ sign_bit));
}

// count * scale rounded to T, to nearest even, still in C: adding 1.5 * 2^(p-1) spacings of T makes
// that the spacing of C (p = C's precision). In float the product itself is not rounded before.
template <class T, class C>
inline C multiple(C count, C scale) {
  using Facts = Carrier<T>;
  using Wide = Carrier<C>;
  if constexpr (Facts::kPrecision == Wide::kPrecision) {
    return count * scale;
  } else {
#if !defined(__FP_FAST_FMAF)
    if constexpr (sizeof(C) == sizeof(float)) {
      return static_cast<float>(
          multiple<T>(static_cast<double>(count), static_cast<double>(scale)));
    }
#endif
    constexpr C kShift = C{1.5} * C(uint64_t{1} << (Wide::kPrecision - Facts::kPrecision));
    const C smallest_normal = static_cast<C>(power(Facts::kMinExponent));
    C binade = bit_cast<C>(bit_cast<typename Wide::Bits>(count * scale) & Wide::kInfinity);
    binade = binade > smallest_normal ? binade : smallest_normal;
    const C shift = binade * kShift;
    return multiply_add(count, scale, shift) - shift;
  }
}

// Whether bits31 < floor(f / scale * 2^31), for a remainder f in [0, scale): that is
// (bits31 + 1) * scale <= f * 2^31. With bits31 + 1 = high + low, high a multiple of 2^7 and
// 0 < low <= 2^7, it asks for the sign of
//   rest + low * scale,   rest = high * scale - f * 2^31
// and the rounding of rest does not change it. Let 2^k <= scale < 2^(k+1) and u be scale's last bit.
// For f >= scale / 2^24 rest is a multiple of 2^7 u: exact below 2^(k+8), and from there on larger
// than the other term. For smaller f it is exact (high = 0), or positive as the whole is.
template <class C>
inline bool is_drawn(C f, C scale, int32_t bits31) {
  const C high = static_cast<C>(bits31 & ~127);
  const C low = static_cast<C>((bits31 & 127) + 1);
  const C rest = multiply_add(high, scale, f * C{-0x1p31});
  return multiply_add(low, scale, rest) <= C{0};
}

// Whether |x| = n * scale + e is rounded to the other neighbour than n, n + 1 for e > 0 and n - 1
// for e < 0. `shifted` = n + kUnitSpacing.
template <Rounding rounding, class C>
inline bool leaves(C shifted, C e, C scale, C x, int32_t bits31) {
  using Bits = typename Carrier<C>::Bits;
  using Signed = std::make_signed_t<Bits>;
  if constexpr (rounding == Rounding::kNearestEven) {  // numbers are ordered as their bits are
    const Bits odd = bit_cast<Bits>(shifted) & 1;
    return static_cast<Signed>(bit_cast<Bits>(e + e) + odd) >
           static_cast<Signed>(bit_cast<Bits>(scale));
  } else if constexpr (rounding == Rounding::kNearestAway) {
    return e + e >= scale;
  } else if constexpr (rounding == Rounding::kNearestUp) {
    return (e + e > scale) | ((e + e == scale) & (x > C{0}));
  } else if constexpr (rounding == Rounding::kDown) {
    return times_sign_of(e, x) < C{0};
  } else if constexpr (rounding == Rounding::kUp) {
    return times_sign_of(e, x) > C{0};
  } else if constexpr (rounding == Rounding::kTowardZero) {
    return e < C{0};
  } else {
    const bool below = e < C{0};
    return is_drawn(e + (below ? scale : C{0}), scale, bits31) != below;
  }
}

// q(x), a value of T; `inverse` lacks between 2^-23 and 2^-22 of 1 / scale.
//
// What is on the grid stays there: if |x| = fl(k * scale) for any k, then for one next to |x| / scale,
// as rounding is monotone. With 24 bits that k is n, and the nearest.
template <Rounding rounding, class T, class C>
inline C quantize_exact(C x, int32_t bits31, C scale, C inverse, C low, C high) {
  const C magnitude = absolute(x);
  const C shifted = magnitude * inverse + kUnitSpacing<C>;
  const C n = shifted - kUnitSpacing<C>;
  const C e = multiply_add(-n, scale, magnitude);
  const C step = with_sign_of(C{1}, e);
  bool leave = leaves<rounding>(shifted, e, scale, x, bits31);
  constexpr bool kFine = Carrier<T>::kPrecision >= 24;
  if constexpr (!kFine || rounding > Rounding::kNearestUp) {
    leave = leave & (multiple<T>(n, scale) != magnitude);
  }
  if constexpr (!kFine) leave = leave | (multiple<T>(n + step, scale) == magnitude);
  C q = with_sign_of(n + (leave ? step : C{0}), x);
  q = q > low ? q : low;
  q = q < high ? q : high;
  return multiple<T>(q, scale) + C{0};  // never -0
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_EXACT_QUOTIENT_H_
