// The four carriers as bit patterns, and exact conversion to and from the compute types.
#ifndef QUANT_OPS_CORE_FLOAT_TYPES_H_
#define QUANT_OPS_CORE_FLOAT_TYPES_H_

#include <cstdint>

#include "per_instruction_set.h"

namespace quant_ops::QUANT_OPS_ISA {

struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

// kPrecision counts the implicit bit; the largest finite value is just below 2^(kMaxExponent + 1).
template <class T, class BitsType, int precision, int max_exponent>
struct CarrierFacts {
  using Bits = BitsType;
  static constexpr int kPrecision = precision;
  static constexpr int kMinExponent = 1 - max_exponent;
  static constexpr int kSubnormalExponent = kMinExponent - (precision - 1);
  static constexpr Bits kMagnitudeMask = static_cast<Bits>(~Bits{0}) >> 1;
  static constexpr Bits kInfinity =
      static_cast<Bits>(Bits{2 * max_exponent + 1} << (precision - 1));
  static constexpr Bits kNan = kInfinity | static_cast<Bits>(Bits{1} << (precision - 2));
  static constexpr Bits kSmallestNormal = static_cast<Bits>(Bits{1} << (precision - 1));
};

template <class T>
struct Carrier;
template <>
struct Carrier<Half> : CarrierFacts<Half, uint16_t, 11, 15> {
  static constexpr double kMax = 65504.0;
};
template <>
struct Carrier<BFloat16> : CarrierFacts<BFloat16, uint16_t, 8, 127> {
  static constexpr double kMax = 0x1.fep127;
};
template <>
struct Carrier<float> : CarrierFacts<float, uint32_t, 24, 127> {
  static constexpr double kMax = 0x1.fffffep127;
};
template <>
struct Carrier<double> : CarrierFacts<double, uint64_t, 53, 1023> {
  static constexpr double kMax = 0x1.fffffffffffffp1023;
};

template <class To, class From>
inline To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast needs types of one size");
  To to;
  __builtin_memcpy(&to, &from, sizeof(to));
  return to;
}

template <class T>
inline typename Carrier<T>::Bits magnitude_bits(T x) {
  using Bits = typename Carrier<T>::Bits;
  return static_cast<Bits>(bit_cast<Bits>(x) & Carrier<T>::kMagnitudeMask);
}

template <class T>
inline bool is_nan(T x) {
  return magnitude_bits(x) > Carrier<T>::kInfinity;
}

inline bool is_nan(float x) { return x != x; }
inline bool is_nan(double x) { return x != x; }

// 2^exponent of a normal number.
inline double power(int exponent) {
  return bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52);
}

// Exact, given an environment that honours subnormals (float_environment.h). Half: the bits moved
// into place are the value times 2^-112, except for infinity and NaN.
inline float to_float(float x) { return x; }
inline float to_float(BFloat16 x) { return bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }
inline float to_float(Half x) {
  const uint32_t magnitude = static_cast<uint32_t>(x.bits & 0x7FFFu) << 13;
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000u) << 16;
  const uint32_t finite = bit_cast<uint32_t>(bit_cast<float>(magnitude) * 0x1p112f);
  return bit_cast<float>(sign | (magnitude < 0x0F800000u ? finite : magnitude | 0x7F800000u));
}

inline void widen(double x, double* out) { *out = x; }
template <class T>
inline void widen(T x, float* out) {
  *out = to_float(x);
}
template <class T>
inline void widen(T x, double* out) {
  *out = static_cast<double>(to_float(x));
}

// The type in which a carrier's elements are computed at least.
inline float wide_type(Half);
inline float wide_type(BFloat16);
inline float wide_type(float);
inline double wide_type(double);

// Exact for what T can represent, infinity and the canonical NaN included.
inline void narrow(double x, double* out) { *out = x; }
inline void narrow(float x, float* out) { *out = x; }
inline void narrow(float x, BFloat16* out) {
  out->bits = static_cast<uint16_t>(bit_cast<uint32_t>(x) >> 16);
}
inline void narrow(float x, Half* out) {
  const uint32_t bits = bit_cast<uint32_t>(x);
  const float magnitude = bit_cast<float>(bits & 0x7FFFFFFFu);
  const uint32_t moved = bit_cast<uint32_t>(magnitude * 0x1p-112f) >> 13;
  out->bits = static_cast<uint16_t>((bits >> 16 & 0x8000u) | (moved & 0x7FFFu));
}
template <class T>
inline void narrow(double x, T* out) {
  narrow(static_cast<float>(x), out);
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_FLOAT_TYPES_H_
