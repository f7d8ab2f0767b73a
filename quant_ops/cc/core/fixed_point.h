// Fixed point: q(x) = delta * overflow(round(x / delta)), delta = 2^-frac_bits.
//
// Everything but the rounding itself is exact, so the compute type (float where it suffices) does
// not show in the result.
#ifndef QUANT_OPS_CORE_FIXED_POINT_H_
#define QUANT_OPS_CORE_FIXED_POINT_H_

#include <cstdint>

#include "block.h"
#include "counter_rng.h"
#include "float_types.h"
#include "isa.h"
#include "limits.h"
#include "quantize.h"
#include "rounding.h"

namespace quant_ops::QUANT_OPS_ISA {

enum class Range { kSaturate, kWrapSigned, kWrapUnsigned };

template <class C>
struct FixedPointConstants {
  C smallest, largest;  // bounds of nonzero |x|
  C steps, delta;       // 2^frac_bits and its inverse
  C low, high;          // limits, in steps
  C turn, turns;        // 2^word_bits and its inverse
  typename Carrier<C>::Bits keep;
};

// The bounds keep the scaling clear of overflow and underflow; what is beyond them rounds and
// saturates as they do, and wraps to 0 as they do: it is a multiple of 2^word_bits steps.
template <class T, class C>
inline FixedPointConstants<C> fixed_point_constants(const FixedPointSpec& spec) {
  constexpr int kMargin = Carrier<C>::kPrecision == 24 ? 64 : 200;
  const Limits limits = fixed_point_limits<T>(spec);
  FixedPointConstants<C> k;
  k.smallest = static_cast<C>(power(-spec.frac_bits - kMargin));
  k.largest = static_cast<C>(power(-spec.frac_bits + kMargin));
  k.steps = static_cast<C>(power(spec.frac_bits));
  k.delta = static_cast<C>(power(-spec.frac_bits));
  k.low = static_cast<C>(limits.low);
  k.high = static_cast<C>(limits.high);
  k.turn = static_cast<C>(power(spec.word_bits));
  k.turns = static_cast<C>(power(-spec.word_bits));
  using Bits = typename Carrier<C>::Bits;
  k.keep = static_cast<Bits>(~Bits{0}) << (Carrier<C>::kPrecision - Carrier<T>::kPrecision);
  return k;
}

template <Rounding rounding, Range range, class C>
inline C quantize_one(C x, int32_t bits31, const FixedPointConstants<C>& k) {
  const auto magnitude = magnitude_bits(x);
  C bounded = absolute(x);
  bounded = bounded > k.smallest ? bounded : k.smallest;  // NaN too: it is put back below
  bounded = bounded < k.largest ? bounded : k.largest;
  bounded = magnitude == 0 ? C{0} : bounded;
  C q = round_steps<rounding>(with_sign_of(bounded, x) * k.steps, bits31);
  if constexpr (range == Range::kWrapSigned) q = wrap_signed(q, k.turn, k.turns);
  if constexpr (range == Range::kWrapUnsigned) q = wrap_unsigned(q, k.turn, k.turns, k.keep);
  q = q > k.low ? q : k.low;
  q = q < k.high ? q : k.high;
  C result = q * k.delta;
  result = result == C{0} ? C{0} : result;  // never -0
  if constexpr (range != Range::kSaturate) {
    result = magnitude == Carrier<C>::kInfinity ? bit_cast<C>(Carrier<C>::kNan) : result;
  }
  return magnitude > Carrier<C>::kInfinity ? x : result;
}

template <Rounding rounding, Range range, class C>
inline void quantize_block(const C* in, const int32_t* bits31, int count,
                           const FixedPointConstants<C>& constants, C* out) {
  const FixedPointConstants<C> k = constants;
  QUANT_OPS_VECTOR_LOOP
  for (int i = 0; i < count; ++i) out[i] = quantize_one<rounding, range>(in[i], bits31[i], k);
}

template <class C>
using FixedPointBlock = void (*)(const C*, const int32_t*, int, const FixedPointConstants<C>&, C*);

template <class C>
inline FixedPointBlock<C> select_block(const FixedPointSpec& spec) {
  return with_rounding(spec.rounding, [&](auto tag) -> FixedPointBlock<C> {
    constexpr Rounding rounding = decltype(tag)::value;
    if (spec.overflow == Overflow::kSaturate) return quantize_block<rounding, Range::kSaturate, C>;
    if (spec.is_signed) return quantize_block<rounding, Range::kWrapSigned, C>;
    return quantize_block<rounding, Range::kWrapUnsigned, C>;
  });
}

template <class T, class C>
inline void fixed_point_range(const FixedPointSpec& spec, const T* in, T* out, int64_t begin,
                              int64_t end) {
  const FixedPointConstants<C> constants = fixed_point_constants<T, C>(spec);
  const FixedPointBlock<C> quantize = select_block<C>(spec);
  int32_t bits31[kBlock] = {};
  C buffer[kBlock];
  for (int64_t first = begin; first < end;) {
    const int count = block_length(first, end);
    if (spec.rounding == Rounding::kStochastic) {
      fill_random_bits31(spec.stream, first, count, bits31);
    }
    if constexpr (sizeof(T) == sizeof(C)) {
      quantize(in + first, bits31, count, constants, out + first);
    } else {
      widen_block(in + first, count, buffer);
      quantize(buffer, bits31, count, constants, buffer);
      narrow_block(buffer, in + first, count, out + first);
    }
    first += count;
  }
}

// Narrow carriers compute in float where steps and limits are within its range.
template <class T>
inline void fixed_point_range(const FixedPointSpec& spec, const void* in, void* out, int64_t begin,
                              int64_t end) {
  const T* from = static_cast<const T*>(in);
  T* to = static_cast<T*>(out);
  if constexpr (sizeof(T) < sizeof(double)) {
    if (-60 <= spec.frac_bits && spec.frac_bits <= 60 && spec.word_bits <= 32) {
      return fixed_point_range<T, float>(spec, from, to, begin, end);
    }
  }
  fixed_point_range<T, double>(spec, from, to, begin, end);
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_FIXED_POINT_H_
