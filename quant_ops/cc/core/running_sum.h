// The grids that a running sum in double is rounded to: those of fixed_point.h and minifloat.h for
// arrays of double, in the form that a sum wants to be kept in.
#ifndef QUANT_OPS_CORE_RUNNING_SUM_H_
#define QUANT_OPS_CORE_RUNNING_SUM_H_

#include <cstdint>

#include "fixed_point.h"
#include "float_types.h"
#include "minifloat.h"
#include "per_instruction_set.h"
#include "quantize.h"
#include "rounding.h"
#include "word_limits.h"

namespace quant_ops::QUANT_OPS_ISA {

// NaN stays NaN.
template <class C>
inline C inside(C low, C x, C high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

// The sum is counted in steps, so that rounding it needs no scaling. That is exact: terms of floats
// and steps of 2^-512 to 2^512 are far from both ends of double.
template <Range range>
class StepSum {
 public:
  explicit StepSum(const FixedPointSpec& spec)
      : steps_(power(spec.frac_bits)),
        delta_(power(-spec.frac_bits)),
        turn_(power(spec.word_bits)),
        turns_(power(-spec.word_bits)),
        limits_(fixed_point_limits<double>(spec)) {
    const Limits held = fixed_point_limits<float>(spec);
    lowest_ = static_cast<float>(held.low * delta_);
    highest_ = static_cast<float>(held.high * delta_);
  }

  // What b is multiplied with before.
  double scale() const { return steps_; }

  template <Rounding rounding>
  double round(double sum, int32_t bits31) const {
    if constexpr (range == Range::kSaturate) sum = inside(limits_.low, sum, limits_.high);
    double q = round_steps<rounding>(sum, bits31);
    if constexpr (range == Range::kWrapSigned) q = wrap_signed(q, turn_, turns_);
    if constexpr (range == Range::kWrapUnsigned) q = wrap_unsigned(q, turn_, turns_, ~uint64_t{0});
    if constexpr (range != Range::kSaturate) q = inside(limits_.low, q, limits_.high);
    return q;
  }

  // Never -0.
  float result(double sum) const {
    return inside(lowest_, static_cast<float>(sum * delta_), highest_) + 0.0f;
  }

 private:
  double steps_, delta_, turn_, turns_;
  Limits limits_;
  float lowest_, highest_;
};

template <Significands significands, bool saturates>
class FloatingSum {
 public:
  explicit FloatingSum(const MinifloatSpec& spec)
      : grid_(minifloat_grid<double, double, significands, saturates>(spec)) {}

  double scale() const { return 1; }

  template <Rounding rounding>
  double round(double sum, int32_t bits31) const {
    const double rounded = grid_.template quantize<rounding>(sum, bits31);
    return is_nan(sum) ? sum : rounded;
  }

  // Exact: float holds all minifloats.
  float result(double sum) const { return static_cast<float>(sum); }

 private:
  MinifloatGrid<double, significands, saturates> grid_;
};

// Calls visit with the grid of the running sum.
template <class Visitor>
inline void with_sum(const FixedPointSpec& spec, Visitor visit) {
  if (spec.overflow == Overflow::kSaturate) {
    visit(StepSum<Range::kSaturate>(spec));
  } else if (spec.is_signed) {
    visit(StepSum<Range::kWrapSigned>(spec));
  } else {
    visit(StepSum<Range::kWrapUnsigned>(spec));
  }
}

template <bool saturates, class Visitor>
inline void with_sum(const MinifloatSpec& spec, Visitor visit) {
  if (spec.mantissa_bits == 0) {
    visit(FloatingSum<Significands::kOne, saturates>(spec));
  } else if (spec.subnormals) {
    visit(FloatingSum<Significands::kUniform, saturates>(spec));
  } else {
    visit(FloatingSum<Significands::kGap, saturates>(spec));
  }
}

template <class Visitor>
inline void with_sum(const MinifloatSpec& spec, Visitor visit) {
  if (spec.overflow == Overflow::kSaturate) {
    with_sum<true>(spec, visit);
  } else {
    with_sum<false>(spec, visit);
  }
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_RUNNING_SUM_H_
