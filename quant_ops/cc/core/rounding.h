// Rounding of a number of steps to an integer, and wrapping of that integer into a word.
// Branch-free, so that the loops over it become vector code.
#ifndef QUANT_OPS_CORE_ROUNDING_H_
#define QUANT_OPS_CORE_ROUNDING_H_

#include <cstdint>

#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"

namespace quant_ops::QUANT_OPS_ISA {

inline float round_even(float x) { return __builtin_rintf(x); }
inline double round_even(double x) { return __builtin_rint(x); }
inline float round_down(float x) { return __builtin_floorf(x); }
inline double round_down(double x) { return __builtin_floor(x); }
inline float round_up(float x) { return __builtin_ceilf(x); }
inline double round_up(double x) { return __builtin_ceil(x); }
inline float round_to_zero(float x) { return __builtin_truncf(x); }
inline double round_to_zero(double x) { return __builtin_trunc(x); }

template <class C>
inline C absolute(C x) {
  return bit_cast<C>(magnitude_bits(x));
}

template <class C>
inline C with_sign_of(C magnitude, C sign) {
  using Facts = Carrier<C>;
  using Bits = typename Facts::Bits;
  const Bits sign_bit = bit_cast<Bits>(sign) & ~Facts::kMagnitudeMask;
  return bit_cast<C>(static_cast<Bits>(bit_cast<Bits>(magnitude) | sign_bit));
}

// NaN becomes low.
template <class C>
inline C between(C low, C x, C high) {
  x = x > low ? x : low;
  return x < high ? x : high;
}

// bits31 < floor(fraction * 2^31): true with probability floor(fraction 2^31) / 2^31. In double the
// comparison of integers is made in double: b < floor(z) means b + 1 <= z, and b + 1 is exact.
inline bool chance(float fraction, int32_t bits31) {
  return bits31 < static_cast<int32_t>(fraction * 0x1p31f);
}
inline bool chance(double fraction, int32_t bits31) {
  return static_cast<double>(bits31) + 1.0 <= fraction * 0x1p31;
}

constexpr bool is_symmetric(Rounding rounding) {
  return rounding != Rounding::kDown && rounding != Rounding::kUp &&
         rounding != Rounding::kNearestUp;
}

// Of y >= 0, for the symmetric roundings. The difference is exact wherever the comparison after it
// depends on it.
template <Rounding rounding, class C>
inline C round_magnitude_steps(C y, int32_t bits31) {
  if constexpr (rounding == Rounding::kNearestEven) {
    return round_even(y);
  } else {
    const C whole = round_to_zero(y);
    if constexpr (rounding == Rounding::kTowardZero) return whole;
    const C fraction = y - whole;
    bool away;
    if constexpr (rounding == Rounding::kStochastic) {
      away = chance(fraction, bits31);
    } else {
      away = fraction >= C{0.5};
    }
    return whole + (away ? C{1} : C{0});
  }
}

template <Rounding rounding, class C>
inline C round_steps(C y, int32_t bits31) {
  if constexpr (rounding == Rounding::kNearestEven) {
    return round_even(y);
  } else if constexpr (rounding == Rounding::kTowardZero) {
    return round_to_zero(y);
  } else if constexpr (rounding == Rounding::kDown) {
    return round_down(y);
  } else if constexpr (rounding == Rounding::kUp) {
    return round_up(y);
  } else if constexpr (rounding == Rounding::kNearestUp) {
    const C below = round_down(y);
    return below + (y - below >= C{0.5} ? C{1} : C{0});
  } else {
    return with_sign_of(round_magnitude_steps<rounding>(absolute(y), bits31), y);
  }
}

// Of y >= 0 with the sign of another number.
template <Rounding rounding, class C>
inline C round_with_sign(C y, C sign, int32_t bits31) {
  if constexpr (is_symmetric(rounding)) {
    return with_sign_of(round_magnitude_steps<rounding>(y, bits31), sign);
  } else {
    return round_steps<rounding>(with_sign_of(y, sign), bits31);
  }
}

// Into [-2^(w-1), 2^(w-1)) modulo 2^w; `up` = 2^w, `down` = 2^-w. Exact: the rest has no lower bits
// than q.
template <class C>
inline C wrap_signed(C q, C up, C down) {
  const C turns = q * down;
  const C rest = turns - round_even(turns);
  return (rest == C{0.5} ? C{-0.5} : rest) * up;
}

// Into [0, 2^w) modulo 2^w, rounded towards zero to the bits in `keep`. For -1 < turns < 0 the rest
// 1 + turns may need more bits than there are: where it was rounded up (rest - 1 is exact, so that
// shows) one unit in the last place is taken back.
template <class C>
inline C wrap_unsigned(C q, C up, C down, typename Carrier<C>::Bits keep) {
  using Bits = typename Carrier<C>::Bits;
  const C turns = q * down;
  const C rest = turns - round_down(turns);
  const Bits rounded_up = (turns < C{0}) & (turns > C{-1}) & (rest - C{1} > turns) ? 1 : 0;
  return bit_cast<C>(static_cast<Bits>((bit_cast<Bits>(rest) - rounded_up) & keep)) * up;
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_ROUNDING_H_
