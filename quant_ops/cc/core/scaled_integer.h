// Scaled integer: q(x) = scale * overflow(round(x / scale)), with a scale known at run time.
//
// Quotient, integer and product are double; the product is rounded once to the carrier.
#ifndef QUANT_OPS_CORE_SCALED_INTEGER_H_
#define QUANT_OPS_CORE_SCALED_INTEGER_H_

#include <cstdint>

#include "block.h"
#include "counter_rng.h"
#include "float_types.h"
#include "isa.h"
#include "limits.h"
#include "quantize.h"
#include "rounding.h"

namespace quant_ops::QUANT_OPS_ISA {

// The limits are those of the word, no further than the carrier's maximum reaches; a scale of 0 (or
// below the normal numbers, whose quotients would not be accurate) leaves 0 alone.
template <class T>
inline ScaleChannel make_channel(double scale, int word_bits) {
  if (scale < power(-1022)) return {0, 0, 0};
  const uint64_t half = uint64_t{1} << (word_bits - 1);
  const double low = static_cast<double>(half);
  const double high = static_cast<double>(truncate_integer(half - 1, 53));
  const double reach = round_down(Carrier<T>::kMax / scale);
  return {scale, -(low < reach ? low : reach), high < reach ? high : reach};
}

struct ScaledIntegerConstants {
  double turn, turns;       // 2^word_bits and its inverse
  int drop;                 // mantissa bits that the carrier lacks
  double smallest_normal;   // of the carrier
  double spacing, density;  // smallest subnormal of the carrier and its inverse
  double largest;           // of the carrier
};

template <class T>
inline ScaledIntegerConstants scaled_integer_constants(const ScaledIntegerSpec& spec) {
  using Facts = Carrier<T>;
  constexpr bool kNarrow = sizeof(T) < sizeof(double);
  return {power(spec.word_bits),
          power(-spec.word_bits),
          53 - Facts::kPrecision,
          power(Facts::kMinExponent),
          kNarrow ? power(Facts::kSubnormalExponent) : 0,
          kNarrow ? power(-Facts::kSubnormalExponent) : 0,
          Facts::kMax};
}

// To nearest even, in double. In the normal range the low bits are rounded away in integer
// arithmetic
// (a carry runs into the exponent, which is right); below it the spacing is constant.
template <bool narrow_carrier>
inline double round_to_carrier(double value, const ScaledIntegerConstants& k) {
  if constexpr (!narrow_carrier) {
    return value;
  } else {
    const uint64_t bits = bit_cast<uint64_t>(value);
    const uint64_t half = (uint64_t{1} << (k.drop - 1)) - 1;
    const uint64_t odd = bits >> k.drop & 1;
    const double normal = bit_cast<double>((bits + half + odd) & (~uint64_t{0} << k.drop));
    const double subnormal = round_even(value * k.density) * k.spacing;
    return absolute(value) < k.smallest_normal ? subnormal : normal;
  }
}

template <Rounding rounding, Overflow overflow, bool narrow_carrier>
inline double quantize_one(double x, int32_t bits31, double scale, double low, double high,
                           const ScaledIntegerConstants& k) {
  const uint64_t magnitude = magnitude_bits(x);
  double ratio = (magnitude < Carrier<double>::kSmallestNormal ? 0.0 : absolute(x)) / scale;
  ratio = ratio > 0x1p-200 ? ratio : 0x1p-200;  // NaN too
  ratio = ratio < 0x1p200 ? ratio : 0x1p200;
  ratio = with_sign_of(magnitude == 0 ? 0.0 : ratio, x);
  double q = round_steps<rounding>(ratio, bits31);
  if constexpr (rounding != Rounding::kNearestEven && rounding != Rounding::kNearestAway &&
                rounding != Rounding::kNearestUp) {
    // fl(k * scale) / scale need not be k: what is on the grid already must stay there.
    const double nearest = round_even(ratio);
    const bool on_grid =
        (nearest != 0.0) & (round_to_carrier<narrow_carrier>(nearest * scale, k) == x);
    q = on_grid ? nearest : q;
  }
  if constexpr (overflow == Overflow::kWrap) q = wrap_signed(q, k.turn, k.turns);
  q = q > low ? q : low;
  q = q < high ? q : high;
  double result = round_to_carrier<narrow_carrier>(q * scale, k);
  result = result > -k.largest ? result : -k.largest;
  result = result < k.largest ? result : k.largest;
  result = result == 0.0 ? 0.0 : result;  // never -0
  if constexpr (overflow == Overflow::kWrap) {
    const bool undefined = (magnitude == Carrier<double>::kInfinity) & (scale != 0.0);
    result = undefined ? bit_cast<double>(Carrier<double>::kNan) : result;
  }
  return magnitude > Carrier<double>::kInfinity ? x : result;
}

// The channels of a block's elements, one entry each.
struct ChannelBlock {
  double scale[kBlock];
  double low[kBlock];
  double high[kBlock];

  void set(int i, const ScaleChannel& channel) {
    scale[i] = channel.scale;
    low[i] = channel.low;
    high[i] = channel.high;
  }

  void fill(const ScaledIntegerSpec& spec, int64_t first, int count) {
    int64_t channel = first / spec.inner % spec.channel_count;
    int64_t left = spec.inner - first % spec.inner;
    for (int i = 0; i < count; ++i, --left) {
      if (left == 0) {
        left = spec.inner;
        channel = channel + 1 == spec.channel_count ? 0 : channel + 1;
      }
      set(i, spec.channels[channel]);
    }
  }
};

template <Rounding rounding, Overflow overflow, bool narrow_carrier>
inline void quantize_block(const double* in, const int32_t* bits31, int count,
                           const ChannelBlock& channels, const ScaledIntegerConstants& constants,
                           double* out) {
  const ScaledIntegerConstants k = constants;
  QUANT_OPS_VECTOR_LOOP
  for (int i = 0; i < count; ++i) {
    out[i] = quantize_one<rounding, overflow, narrow_carrier>(
        in[i], bits31[i], channels.scale[i], channels.low[i], channels.high[i], k);
  }
}

using ScaledIntegerBlock = void (*)(const double*, const int32_t*, int, const ChannelBlock&,
                                    const ScaledIntegerConstants&, double*);

template <bool narrow_carrier>
inline ScaledIntegerBlock select_block(const ScaledIntegerSpec& spec) {
  return with_rounding(spec.rounding, [&](auto tag) -> ScaledIntegerBlock {
    constexpr Rounding rounding = decltype(tag)::value;
    return spec.overflow == Overflow::kSaturate
               ? quantize_block<rounding, Overflow::kSaturate, narrow_carrier>
               : quantize_block<rounding, Overflow::kWrap, narrow_carrier>;
  });
}

template <class T>
inline void scaled_integer_range(const ScaledIntegerSpec& spec, const void* in, void* out,
                                 int64_t begin, int64_t end) {
  const T* from = static_cast<const T*>(in);
  T* to = static_cast<T*>(out);
  const ScaledIntegerConstants constants = scaled_integer_constants<T>(spec);
  const ScaledIntegerBlock quantize = select_block<(sizeof(T) < sizeof(double))>(spec);
  int32_t bits31[kBlock] = {};
  double buffer[kBlock];
  ChannelBlock channels;
  const bool one_channel = spec.channel_count == 1;
  if (one_channel) channels.fill(spec, 0, kBlock);
  for (int64_t first = begin; first < end;) {
    const int count = block_length(first, end);
    if (spec.rounding == Rounding::kStochastic) {
      fill_random_bits31(spec.stream, first, count, bits31);
    }
    if (!one_channel) channels.fill(spec, first, count);
    widen_block(from + first, count, buffer);
    quantize(buffer, bits31, count, channels, constants, buffer);
    narrow_block(buffer, from + first, count, to + first);
    first += count;
  }
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_SCALED_INTEGER_H_
