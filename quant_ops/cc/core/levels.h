// Grids of one level and a threshold: binary, ternary and sparse.
#ifndef QUANT_OPS_CORE_LEVELS_H_
#define QUANT_OPS_CORE_LEVELS_H_

#include <cstdint>

#include "elementwise.h"
#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"
#include "rounding.h"

namespace quant_ops::QUANT_OPS_ISA {

// |x| > threshold is |x| > not_above(threshold) for numbers x of C, and likewise for >= and
// not_below: the nearest numbers of C, for finite thresholds that are not negative.
template <class C>
inline C not_above(double threshold) {
  const C near = static_cast<C>(threshold);
  const auto bits = bit_cast<typename Carrier<C>::Bits>(near);
  return static_cast<double>(near) > threshold ? bit_cast<C>(bits - 1) : near;
}

template <class C>
inline C not_below(double threshold) {
  const C near = static_cast<C>(threshold);
  const auto bits = bit_cast<typename Carrier<C>::Bits>(near);
  return static_cast<double>(near) < threshold ? bit_cast<C>(bits + 1) : near;
}

// +level or -level: the sign of x, or with a probability that is linear between them.
template <class C>
struct BinaryGrid {
  C level;

  template <Rounding rounding>
  C quantize(C x, int32_t bits31) const {
    bool up = x >= C{0};
    if constexpr (rounding == Rounding::kStochastic) {
      const double ratio = static_cast<double>(x) / static_cast<double>(level);
      up = (static_cast<double>(bits31) + 1.0 <= (ratio + 1.0) * 0x1p30) | (x >= level);
    }
    return up ? level : -level;
  }
};

// +-level where |x| > threshold, else 0.
template <class C>
struct TernaryGrid {
  C level, threshold;

  template <Rounding>
  C quantize(C x, int32_t) const {
    return absolute(x) > threshold ? with_sign_of(level, x) : C{0};
  }
};

// x where |x| >= threshold, else 0.
template <class C>
struct SparseGrid {
  C threshold;

  template <Rounding>
  C quantize(C x, int32_t) const {
    return absolute(x) >= threshold ? x + C{0} : C{0};
  }
};

template <class T>
inline void level_range(const LevelSpec& spec, const void* in, void* out, int64_t begin,
                        int64_t end) {
  using C = decltype(wide_type(T{}));
  const auto run = [&](Rounding rounding, const auto& grid) {
    quantize_range<T, C>(grid, rounding, spec.stream, in, out, begin, end);
  };
  const C level = static_cast<C>(spec.level);
  switch (spec.kind) {
    case LevelKind::kBinary:
      return run(spec.rounding, BinaryGrid<C>{level});
    case LevelKind::kTernary:
      return run(Rounding::kNearestEven, TernaryGrid<C>{level, not_above<C>(spec.threshold)});
    case LevelKind::kSparse:
      return run(Rounding::kNearestEven, SparseGrid<C>{not_below<C>(spec.threshold)});
  }
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_LEVELS_H_
