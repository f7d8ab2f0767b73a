// Scaled integer: q(x) = scale * overflow(round(x / scale)), with a scale known at run time.
#ifndef QUANT_OPS_CORE_SCALED_INTEGER_H_
#define QUANT_OPS_CORE_SCALED_INTEGER_H_

#include <cstdint>

#include "cache_blocks.h"
#include "elementwise.h"
#include "exact_quotient.h"
#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"
#include "rounding.h"

namespace quant_ops::QUANT_OPS_ISA {

// q(x) from the exact quotient.
template <class T, class C>
struct ExactGrids {
  ScaleColumns<C> columns;

  struct Grid {
    C scale, inverse, low, high;

    template <Rounding rounding>
    C quantize(C x, int32_t bits31) const {
      return quantize_exact<rounding, T>(x, bits31, scale, inverse, low, high);
    }
  };
  Grid at(int i) const {
    return {columns.scale[i], columns.inverse[i], columns.low[i], columns.high[i]};
  }
};

// q(x) from the quotient rounded to double; the product, too, is rounded to double and then to T.
template <class T, Overflow overflow>
struct RoundedGrids {
  ScaleColumns<double> columns;
  double turn, turns;  // 2^word_bits and its inverse

  struct Grid {
    double scale, low, high, turn, turns;

    template <Rounding rounding>
    double quantize(double x, int32_t bits31) const;
  };
  Grid at(int i) const {
    return {columns.scale[i], columns.low[i], columns.high[i], turn, turns};
  }
};

// What is on the grid stays there, as in quantize_exact.
template <class T, Overflow overflow>
template <Rounding rounding>
inline double RoundedGrids<T, overflow>::Grid::quantize(double x, int32_t bits31) const {
  const uint64_t magnitude = magnitude_bits(x);
  double ratio = (magnitude < Carrier<double>::kSmallestNormal ? 0.0 : absolute(x)) / scale;
  ratio = ratio > 0x1p-200 ? ratio : 0x1p-200;  // NaN too
  ratio = ratio < 0x1p200 ? ratio : 0x1p200;
  ratio = with_sign_of(magnitude == 0 ? 0.0 : ratio, x);
  double q = round_steps<rounding>(ratio, bits31);
  const double below = round_down(ratio), above = round_up(ratio);
  q = (above != 0.0) & (multiple<T>(above, scale) == x) ? above : q;
  q = (below != 0.0) & (multiple<T>(below, scale) == x) ? below : q;
  if constexpr (overflow == Overflow::kWrap) q = wrap_signed(q, turn, turns);
  q = q > low ? q : low;
  q = q < high ? q : high;
  double result = multiple<T>(q, scale);
  result = result > -Carrier<T>::kMax ? result : -Carrier<T>::kMax;
  result = result < Carrier<T>::kMax ? result : Carrier<T>::kMax;
  result += 0.0;  // never -0
  if constexpr (overflow == Overflow::kWrap) {
    const bool undefined = (magnitude == Carrier<double>::kInfinity) & (scale != 0.0);
    result = undefined ? bit_cast<double>(Carrier<double>::kNan) : result;
  }
  return result;
}

// The columns from one element on: in place where the table repeats from element to element, else
// filled run by run.
template <class C>
class BlockColumns {
 public:
  ScaleColumns<C> at(const Scales& scales, const ScaleColumns<C>& table, int64_t first,
                     int count) {
    if (scales.inner == 1) {
      const int64_t offset = first % scales.count;
      return {table.scale + offset, table.inverse + offset, table.low + offset,
              table.high + offset};
    }
    int64_t channel = first / scales.inner % scales.count;
    int64_t left = scales.inner - first % scales.inner;
    for (int i = 0; i < count;) {
      const int stop = left < count - i ? i + static_cast<int>(left) : count;
      for (; i < stop; ++i) {
        scale_[i] = table.scale[channel];
        inverse_[i] = table.inverse[channel];
        low_[i] = table.low[channel];
        high_[i] = table.high[channel];
      }
      channel = channel + 1 == scales.count ? 0 : channel + 1;
      left = scales.inner;
    }
    return {scale_, inverse_, low_, high_};
  }

 private:
  C scale_[kBlock], inverse_[kBlock], low_[kBlock], high_[kBlock];
};

// Elements [begin, end) of an array of T, computed in C; make_grids(columns) are a block's.
template <class T, class C, class MakeGrids>
inline void scaled_integer_range(const ScaledIntegerSpec& spec, const ScaleColumns<C>& table,
                                 MakeGrids make_grids, const T* in, T* out, int64_t begin,
                                 int64_t end) {
  with_rounding(spec.rounding, [&](auto tag) {
    BlockColumns<C> columns;
    C buffer[kBlock];
    for (int64_t first = begin; first < end;) {
      const int count = block_length(first, end);
      const auto grids = make_grids(columns.at(spec.scales, table, first, count));
      const RandomBlock random(spec.stream, first);
      quantize_elements<decltype(tag)::value>(grids, random, in + first, count, buffer, out + first);
      first += count;
    }
  });
}

template <class T>
inline void scaled_integer_range(const ScaledIntegerSpec& spec, const void* in, void* out,
                                 int64_t begin, int64_t end) {
  using Floats = ScaleColumns<float>;
  using Doubles = ScaleColumns<double>;
  const auto run = [&](const auto& table, auto make_grids) {
    scaled_integer_range(spec, table, make_grids, static_cast<const T*>(in), static_cast<T*>(out),
                         begin, end);
  };
  if constexpr (sizeof(T) < sizeof(double)) {
    if (spec.scales.quotient == Quotient::kExactInFloat) {
      return run(spec.scales.floats, [](const Floats& c) { return ExactGrids<T, float>{c}; });
    }
    if (spec.scales.quotient == Quotient::kExactInDouble) {
      return run(spec.scales.doubles, [](const Doubles& c) { return ExactGrids<T, double>{c}; });
    }
  }
  const double turn = power(spec.word_bits), turns = power(-spec.word_bits);
  if (spec.overflow == Overflow::kSaturate) {
    run(spec.scales.doubles, [&](const Doubles& c) {
      return RoundedGrids<T, Overflow::kSaturate>{c, turn, turns};
    });
  } else {
    run(spec.scales.doubles, [&](const Doubles& c) {
      return RoundedGrids<T, Overflow::kWrap>{c, turn, turns};
    });
  }
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_SCALED_INTEGER_H_
