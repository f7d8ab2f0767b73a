// The power of two that a block of elements shares, from the block's largest finite magnitude.
#ifndef QUANT_OPS_CORE_SHARED_EXPONENT_H_
#define QUANT_OPS_CORE_SHARED_EXPONENT_H_

#include <cstdint>

#include "cache_blocks.h"
#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"

namespace quant_ops::QUANT_OPS_ISA {

// What a block's largest magnitude M * 2^E, 1 <= M < 2, says about the scale's exponent:
// E - element_exponent, one more if M >= carry_from; clamped to [lowest, highest].
struct ScaleRule {
  int element_exponent;  // of the element's largest number
  double carry_from;
  int lowest, highest;
  int step_exponent;         // of the elements' unit, relative to the scale
  int reach_down, reach_up;  // of the elements' normal numbers, relative to their unit
};

inline ScaleRule scale_rule(const BlockScaledSpec& spec) {
  const bool integer = spec.word_bits > 0;
  const int mantissa_bits = integer ? spec.word_bits - 2 : spec.element.mantissa_bits;
  const int64_t largest =
      integer ? (int64_t{1} << (spec.word_bits - 1)) - 1 : spec.element.max_significand;
  ScaleRule rule;
  rule.element_exponent = integer ? 0 : spec.element.max_exponent;
  constexpr int kUnlimited = 1 << 20;
  rule.lowest = spec.limited_scale ? -127 : -kUnlimited;
  rule.highest = spec.limited_scale ? 127 : kUnlimited;
  rule.step_exponent = integer ? 2 - spec.word_bits : 0;
  rule.reach_down = integer ? 0 : spec.element.min_exponent;
  rule.reach_up = integer ? 0 : spec.element.max_exponent;
  rule.carry_from = 2;
  switch (spec.scale_rounding) {
    case ScaleRounding::kFloor:
      break;
    case ScaleRounding::kCeil:  // M > 1
      rule.carry_from = 1 + 0x1p-52;
      break;
    case ScaleRounding::kUp:  // M > the largest element's significand
      rule.carry_from = static_cast<double>(largest) * power(-mantissa_bits) + 0x1p-52;
      break;
    case ScaleRounding::kEven:  // M, rounded half up to the element's mantissa bits, is 2
      rule.carry_from = 2 - power(-mantissa_bits - 1);
      break;
  }
  return rule;
}

// The steps of up to kBlock blocks or elements.
template <class T>
struct Steps {
  using Facts = Carrier<T>;
  using Bits = typename Facts::Bits;
  static constexpr int kShift = Facts::kPrecision - 1;
  static constexpr int kMaxExponent = 1 - Facts::kMinExponent;
  static constexpr Bits kTopBinade = Facts::kInfinity - Facts::kSmallestNormal;

  int32_t exponent[kBlock];
  bool limited = false;  // a result may be one that T cannot hold
  bool wide = false;        // float has not the exponents

  // From each block's largest magnitude. Where that is infinity or NaN, finite_maximum(i) is asked
  // for block i; infinities count only where there is nothing else, and then as T's largest number.
  template <class FiniteMaximum>
  void set(const ScaleRule& rule, const Bits* largest, int count, FiniteMaximum finite_maximum) {
    const ScaleRule r = rule;
    const double first_carry = (r.carry_from - 1) * power(kShift);
    const uint64_t below = static_cast<uint64_t>(first_carry);
    const uint64_t carry = below + (static_cast<double>(below) < first_carry);
    int32_t least = 0, most = 0, special = 0;
    QUANT_OPS_VECTOR_LOOP
    for (int i = 0; i < count; ++i) {
      const Bits bits = largest[i];
      const Bits mantissa = bits & (Facts::kSmallestNormal - 1);
      int32_t e = static_cast<int32_t>(bits >> kShift) - kMaxExponent - r.element_exponent;
      e += mantissa >= carry ? 1 : 0;
      e = e > r.lowest ? e : r.lowest;
      e = (e < r.highest ? e : r.highest) + r.step_exponent;
      exponent[i] = e;
      least = e < least ? e : least;
      most = e > most ? e : most;
      special |= (bits < Facts::kSmallestNormal) | (bits >= kTopBinade) ? 1 : 0;
    }
    wide = least + r.reach_down < -126 || most + r.reach_up > 126;
    if (special == 0) return;
    wide = false;
    for (int i = 0; i < count; ++i) {
      Bits bits = largest[i];
      if (bits >= Facts::kInfinity) bits = finite_maximum(i);
      if (bits == 0 && largest[i] != 0) bits = Facts::kInfinity - 1;
      exponent[i] = bits == 0 ? 0 : exponent_of(r, bits);
      limited |= bits >= kTopBinade || largest[i] >= Facts::kInfinity;
      wide |= exponent[i] + r.reach_down < -126 || exponent[i] + r.reach_up > 126;
    }
  }

  static int32_t exponent_of(const ScaleRule& rule, Bits magnitude) {
    const int zeros = __builtin_clzll(static_cast<uint64_t>(magnitude)) - (63 - kShift);
    const int subnormal = zeros > 0 ? zeros : 0;  // places that the leading one lacks to be normal
    const int field = static_cast<int>(magnitude >> kShift);
    const Bits aligned = static_cast<Bits>(magnitude << subnormal);
    const double fraction = static_cast<double>(aligned & (Facts::kSmallestNormal - 1));
    const double significand = 1 + fraction * power(-kShift);
    int exponent = (field > 0 ? field : 1) - subnormal - kMaxExponent - rule.element_exponent;
    exponent += significand >= rule.carry_from;
    exponent = exponent > rule.lowest ? exponent : rule.lowest;
    return (exponent < rule.highest ? exponent : rule.highest) + rule.step_exponent;
  }
};

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_SHARED_EXPONENT_H_
