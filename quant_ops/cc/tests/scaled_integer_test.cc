// Exact quotients against integer arithmetic: what every instruction set must get right without
// ever rounding.
#include <cmath>
#include <cstdint>
#include <vector>

#include "../core/quantize.h"
#include "../core/scaled_integer_scales.h"
#include "check.h"

namespace quant_ops {
namespace {

constexpr int kWordBits = 12;
constexpr int kCount = 4000;
constexpr Rounding kRoundings[] = {Rounding::kNearestEven, Rounding::kNearestAway,
                                   Rounding::kNearestUp,   Rounding::kDown,
                                   Rounding::kUp,          Rounding::kTowardZero,
                                   Rounding::kStochastic};

struct Random {
  uint64_t state = 1;

  int64_t below(int64_t end) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int64_t>((state >> 33) % static_cast<uint64_t>(end));
  }
};

// The bits of each element, from fixed point's rounding of every fraction k / 2^31 in turn: bit by
// bit, the largest fraction that is not rounded up.
std::vector<int64_t> random_bits31(const Stream& stream) {
  std::vector<int64_t> bits(kCount, 0);
  FixedPointSpec spec;
  spec.word_bits = 2;
  spec.rounding = Rounding::kStochastic;
  spec.stream = stream;
  std::vector<double> x(kCount), rounded(kCount);
  for (int64_t bit = int64_t{1} << 30; bit > 0; bit >>= 1) {
    for (int i = 0; i < kCount; ++i) x[i] = std::ldexp(static_cast<double>(bits[i] + bit), -31);
    fixed_point(spec, CarrierType::kDouble, x.data(), rounded.data(), 0, kCount);
    for (int i = 0; i < kCount; ++i) bits[i] += rounded[i] == 0 ? bit : 0;
  }
  return bits;
}

int64_t saturate(int64_t steps) {
  constexpr int64_t kHalf = int64_t{1} << (kWordBits - 1);
  return steps < -kHalf ? -kHalf : steps < kHalf ? steps : kHalf - 1;
}

__int128 in_units(float value) {  // of 2^-60
  return static_cast<__int128>(std::ldexp(static_cast<double>(value), 60));
}

// round(x / scale), or the integer whose multiple x is already, after rounding.
int64_t expected(float x, float scale, Rounding rounding, int64_t bits31) {
  const double nearest = std::rint(static_cast<double>(x) / scale);
  if (static_cast<float>(nearest * scale) == x) return static_cast<int64_t>(nearest);
  const __int128 magnitude = in_units(std::fabs(x)), unit = in_units(scale);
  const __int128 whole = magnitude / unit, rest = magnitude % unit;
  bool away = false;
  switch (rounding) {
    case Rounding::kNearestEven:
      away = 2 * rest > unit || (2 * rest == unit && whole % 2 == 1);
      break;
    case Rounding::kNearestAway:
      away = 2 * rest >= unit;
      break;
    case Rounding::kNearestUp:
      away = 2 * rest > unit || (2 * rest == unit && x > 0);
      break;
    case Rounding::kDown:
      away = x < 0 && rest > 0;
      break;
    case Rounding::kUp:
      away = x > 0 && rest > 0;
      break;
    case Rounding::kTowardZero:
      break;
    case Rounding::kStochastic:
      away = bits31 < (rest << 31) / unit;
      break;
  }
  const int64_t steps = static_cast<int64_t>(whole) + away;
  return x < 0 ? -steps : steps;
}

// A multiple of half a scale, of the fraction at which the random bits decide, or anything; and its
// neighbours.
float hard_value(float scale, int64_t bits31, Random* random) {
  const int64_t whole = random->below(1 << kWordBits);
  const double fractions[] = {0, 0.5, std::ldexp(static_cast<double>(bits31 + 1), -31),
                              std::ldexp(static_cast<double>(random->below(1 << 30)), -30)};
  const double steps = static_cast<double>(random->below(2) * whole) + fractions[random->below(4)];
  float x = static_cast<float>(steps * scale);
  for (int64_t i = random->below(3); i > 0; --i) x = std::nextafter(x, random->below(2) ? 1e9f : 0);
  if (x < 0x1p-36f) x = 0;  // not a multiple of the unit
  return random->below(2) ? x : -x;
}

void test_quotients_are_exact() {
  Random random;
  const Stream stream = {7, 9};
  const std::vector<int64_t> bits31 = random_bits31(stream);
  std::vector<float> in(kCount), x(kCount), result(kCount);
  for (int round = 0; round < 100; ++round) {
    // Far from 1 the compute type is double: the same numbers, scaled.
    const int shift = round % 2 == 0 ? 0 : 100;
    // With powers of two the fraction at which the random bits decide can be met exactly.
    const int64_t significand = round % 5 == 0 ? 1 << 20 : 1 + random.below(1 << 24);
    const float scale = std::ldexp(static_cast<float>(significand), -26);
    for (int i = 0; i < kCount; ++i) {
      in[i] = hard_value(scale, bits31[i], &random);
      x[i] = std::ldexp(in[i], shift);
    }
    for (const Rounding rounding : kRoundings) {
      ScaledIntegerSpec spec;
      spec.word_bits = kWordBits;
      spec.rounding = rounding;
      spec.stream = stream;
      const double scales = std::ldexp(static_cast<double>(scale), shift);
      const ScaleTable table(spec, CarrierType::kFloat, CarrierType::kFloat, {scales}, 1);
      spec.scales = table.scales();
      scaled_integer(spec, CarrierType::kFloat, x.data(), result.data(), 0, kCount);
      for (int i = 0; i < kCount; ++i) {
        const int64_t steps = saturate(expected(in[i], scale, rounding, bits31[i]));
        const float product = static_cast<float>(static_cast<double>(steps) * scale);
        CHECK(result[i] == std::ldexp(product, shift));
      }
    }
  }
}

}  // namespace
}  // namespace quant_ops

int main() {
  quant_ops::test_quotients_are_exact();
  std::printf("passed with %s\n", quant_ops::instruction_set());
}
