// Fixed point: q(x) = delta * overflow(round(x / delta)), delta = 2^-frac_bits.
//
// Everything but the rounding itself is exact, so the compute type (float where it suffices) does
// not show in the result.
#ifndef QUANT_OPS_CORE_FIXED_POINT_H_
#define QUANT_OPS_CORE_FIXED_POINT_H_

#include <cstdint>

#include "elementwise.h"
#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"
#include "rounding.h"
#include "word_limits.h"

namespace quant_ops::QUANT_OPS_ISA {

enum class Range { kSaturate, kWrapSigned, kWrapUnsigned };

template <class C, Range range>
struct FixedPointGrid {
  C smallest, largest;  // bounds of nonzero |x|
  C steps, delta;       // 2^frac_bits and its inverse
  C low, high;          // limits, in steps
  C turn, turns;        // 2^word_bits and its inverse
  typename Carrier<C>::Bits keep;

  template <Rounding rounding>
  C quantize(C x, int32_t bits31) const {
    C q = bounded<rounding>(x) * steps;
    if constexpr (range == Range::kSaturate) q = between(low, q, high);
    q = round_steps<rounding>(q, bits31);
    if constexpr (range == Range::kWrapSigned) q = wrap_signed(q, turn, turns);
    if constexpr (range == Range::kWrapUnsigned) q = wrap_unsigned(q, turn, turns, keep);
    if constexpr (range != Range::kSaturate) q = between(low, q, high);
    const C result = q * delta + C{0};  // never -0
    if constexpr (range == Range::kSaturate) return result;
    return magnitude_bits(x) == Carrier<C>::kInfinity ? bit_cast<C>(Carrier<C>::kNan) : result;
  }

  // Keeps the scaling clear of overflow and underflow where they would show. What is beyond the
  // bounds rounds and saturates as they do, and wraps to 0 as they do: it is a multiple of
  // 2^word_bits steps. Saturation itself takes infinite steps, and only rounding down or up tells a
  // vanished x from 0.
  template <Rounding rounding>
  C bounded(C x) const {
    constexpr bool kDirected = rounding == Rounding::kDown || rounding == Rounding::kUp;
    C magnitude = absolute(x);
    if constexpr (kDirected) magnitude = magnitude > smallest ? magnitude : smallest;
    if constexpr (range != Range::kSaturate) magnitude = magnitude < largest ? magnitude : largest;
    if constexpr (kDirected) magnitude = magnitude_bits(x) == 0 ? C{0} : magnitude;
    if constexpr (!kDirected && range == Range::kSaturate) return x;
    return with_sign_of(magnitude, x);
  }
};

template <class T, class C, Range range>
inline FixedPointGrid<C, range> fixed_point_grid(const FixedPointSpec& spec) {
  constexpr int kMargin = Carrier<C>::kPrecision == 24 ? 64 : 200;
  using Bits = typename Carrier<C>::Bits;
  const Limits limits = fixed_point_limits<T>(spec);
  FixedPointGrid<C, range> grid;
  grid.smallest = static_cast<C>(power(-spec.frac_bits - kMargin));
  grid.largest = static_cast<C>(power(-spec.frac_bits + kMargin));
  grid.steps = static_cast<C>(power(spec.frac_bits));
  grid.delta = static_cast<C>(power(-spec.frac_bits));
  grid.low = static_cast<C>(limits.low);
  grid.high = static_cast<C>(limits.high);
  grid.turn = static_cast<C>(power(spec.word_bits));
  grid.turns = static_cast<C>(power(-spec.word_bits));
  grid.keep = static_cast<Bits>(~Bits{0}) << (Carrier<C>::kPrecision - Carrier<T>::kPrecision);
  return grid;
}

template <class T, class C>
inline void fixed_point_range(const FixedPointSpec& spec, const void* in, void* out, int64_t begin,
                              int64_t end) {
  const auto run = [&](const auto& grid) {
    quantize_range<T, C>(grid, spec.rounding, spec.stream, in, out, begin, end);
  };
  if (spec.overflow == Overflow::kSaturate) {
    run(fixed_point_grid<T, C, Range::kSaturate>(spec));
  } else if (spec.is_signed) {
    run(fixed_point_grid<T, C, Range::kWrapSigned>(spec));
  } else {
    run(fixed_point_grid<T, C, Range::kWrapUnsigned>(spec));
  }
}

// Narrow carriers compute in float where steps and limits are within its range.
template <class T>
inline void fixed_point_range(const FixedPointSpec& spec, const void* in, void* out, int64_t begin,
                              int64_t end) {
  if constexpr (sizeof(T) < sizeof(double)) {
    if (-60 <= spec.frac_bits && spec.frac_bits <= 60 && spec.word_bits <= 32) {
      return fixed_point_range<T, float>(spec, in, out, begin, end);
    }
  }
  fixed_point_range<T, double>(spec, in, out, begin, end);
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_FIXED_POINT_H_
