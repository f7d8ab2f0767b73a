// exp, expm1 and log from additions and multiplications alone: the same bits with every instruction
// set, and loops over them become vector code.
#ifndef QUANT_OPS_LINEAR_EXPONENTIAL_H_
#define QUANT_OPS_LINEAR_EXPONENTIAL_H_

#include <cstdint>

#include "../core/float_types.h"
#include "../core/per_instruction_set.h"

namespace quant_ops::QUANT_OPS_ISA {

template <class Real>
struct ExponentialFacts;

template <>
struct ExponentialFacts<float> {
  using Bits = uint32_t;
  static constexpr int kTerms = 8;  // |r| < 0.35: r^8 / 8! is below the last bit of r
  static constexpr int kFractionBits = 23, kBias = 127;
  static constexpr float kReach = 80;
  static constexpr float kLog2High = 0x1.62e4p-1f, kLog2Low = 0x1.7f7d1cp-20f;
};

template <>
struct ExponentialFacts<double> {
  using Bits = uint64_t;
  static constexpr int kTerms = 14;
  static constexpr int kFractionBits = 52, kBias = 1023;
  static constexpr double kReach = 700;
  static constexpr double kLog2High = 0x1.62e42fefap-1, kLog2Low = 0x1.cf79abc9e3b39p-40;
};

template <class Real>
struct InverseFactorials {
  static constexpr int kTerms = ExponentialFacts<Real>::kTerms;
  Real of[kTerms + 1];

  constexpr InverseFactorials() : of() {
    double factorial = 1;  // exact
    for (int n = 0; n <= kTerms; ++n) {
      factorial *= n > 0 ? n : 1;
      of[n] = static_cast<Real>(Real(1) / static_cast<Real>(factorial));
    }
  }
};

// x = k log 2 + r, |r| <= log(2) / 2; expm1(x) = 2^k expm1(r) + (2^k - 1), expm1(r) by its series.
// x is clamped to [-kReach, kReach].
template <class Real>
struct Exponential {
  Real power;  // 2^k
  Real rest;   // expm1(r)

  explicit Exponential(Real x) {
    using Facts = ExponentialFacts<Real>;
    using Bits = typename Facts::Bits;
    constexpr Real kShift = Real(1.5) * Real(Bits{1} << Facts::kFractionBits);
    x = x < Facts::kReach ? x : Facts::kReach;
    x = x > -Facts::kReach ? x : -Facts::kReach;
    const Real shifted = x * Real(1.4426950408889634) + kShift;
    const Real k = shifted - kShift;
    const Real r = (x - k * Facts::kLog2High) - k * Facts::kLog2Low;
    constexpr InverseFactorials<Real> kInverse;
    Real sum = kInverse.of[Facts::kTerms];
    for (int n = Facts::kTerms - 1; n >= 2; --n) sum = sum * r + kInverse.of[n];
    rest = r + r * r * sum;
    const Bits exponent = bit_cast<Bits>(shifted) + static_cast<Bits>(Facts::kBias);
    power = bit_cast<Real>(static_cast<Bits>(exponent << Facts::kFractionBits));
  }

  Real value() const { return power + power * rest; }
  Real minus_one() const { return power * rest + (power - Real(1)); }
};

template <class Real>
inline Real exponential(Real x) {
  return Exponential<Real>(x).value();
}
template <class Real>
inline Real exponential_minus_one(Real x) {
  return Exponential<Real>(x).minus_one();
}

// log(x) for a normal x > 0: x = 2^k m, 0.7 < m < 1.42, log(m) = 2 artanh((m - 1) / (m + 1)).
inline double logarithm(double x) {
  constexpr uint64_t kRootHalf = 0x3FE6A09E667F3BCD;
  const uint64_t bits = bit_cast<uint64_t>(x);
  const uint64_t above = (bits - kRootHalf) & 0xFFF0000000000000;  // k, in the exponent's place
  const double m = bit_cast<double>(bits - above);
  // k as a double: its 12 bits, moved down and biased to be positive, behind a power of two.
  const uint64_t biased = ((above + 0x4000000000000000) >> 52) & 0xFFF;
  const double k = bit_cast<double>(biased | 0x4330000000000000) - (0x1p52 + 1024);
  const double s = (m - 1) / (m + 1), square = s * s;
  double series = 1.0 / 21;
  for (int n = 19; n >= 1; n -= 2) series = series * square + 1.0 / n;
  return k * 0x1.62e42fefa39efp-1 + 2 * s * series;
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_EXPONENTIAL_H_
