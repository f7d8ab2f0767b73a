// Small floats by hand: E2M1, whose numbers are 0, 0.5, 1, 1.5, 2, 3, 4, 6, and their neighbours.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <limits>

#include "../core/quantize.h"
#include "check.h"

namespace quant_ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float quantize(const MinifloatSpec& spec, float x) {
  float result;
  minifloat(spec, CarrierType::kFloat, &x, &result, 0, 1);
  return result;
}

MinifloatSpec format(int mantissa_bits, int min_exponent, int max_significand, int max_exponent,
                     Rounding rounding = Rounding::kNearestEven,
                     Overflow overflow = Overflow::kSaturate) {
  MinifloatSpec spec;
  spec.mantissa_bits = mantissa_bits;
  spec.min_exponent = min_exponent;
  spec.max_significand = max_significand;
  spec.max_exponent = max_exponent;
  spec.rounding = rounding;
  spec.overflow = overflow;
  return spec;
}

MinifloatSpec e2m1(Rounding rounding) { return format(1, 0, 3, 2, rounding); }

void test_roundings() {
  struct Row {
    Rounding rounding;
    float expected[8];
  };
  constexpr float kInputs[8] = {0.25f, 0.75f, 1.1f, 2.5f, 5, 7, -0.75f, -2.5f};
  constexpr Row kRows[] = {
      {Rounding::kNearestEven, {0, 1, 1, 2, 4, 6, -1, -2}},
      {Rounding::kNearestAway, {0.5f, 1, 1, 3, 6, 6, -1, -3}},
      {Rounding::kNearestUp, {0.5f, 1, 1, 3, 6, 6, -0.5f, -2}},
      {Rounding::kDown, {0, 0.5f, 1, 2, 4, 6, -1, -3}},
      {Rounding::kUp, {0.5f, 1, 1.5f, 3, 6, 6, -0.5f, -2}},
      {Rounding::kTowardZero, {0, 0.5f, 1, 2, 4, 6, -0.5f, -2}},
  };
  for (const Row& row : kRows) {
    for (int i = 0; i < 8; ++i) {
      CHECK(quantize(e2m1(row.rounding), kInputs[i]) == row.expected[i]);
    }
  }
}

void test_zeros() {
  MinifloatSpec spec = e2m1(Rounding::kNearestEven);
  CHECK(std::signbit(quantize(spec, -0.0f)) && std::signbit(quantize(spec, -1e-30f)));
  spec.signed_zero = false;
  CHECK(!std::signbit(quantize(spec, -0.0f)) && !std::signbit(quantize(spec, -1e-30f)));
}

// E4M3 without infinities: 448 = 14 * 2^5 is the largest, and 464 the tie with the number after it.
void test_overflow() {
  const MinifloatSpec saturate = format(3, -6, 14, 8);
  CHECK(quantize(saturate, 1e30f) == 448 && quantize(saturate, -kInfinity) == -448);
  const MinifloatSpec nan = format(3, -6, 14, 8, Rounding::kNearestEven, Overflow::kNan);
  CHECK(quantize(nan, 464) == 448);
  CHECK(std::isnan(quantize(nan, std::nextafter(464.0f, 500.0f))));
  const MinifloatSpec infinity = format(3, -6, 14, 8, Rounding::kDown, Overflow::kInfinity);
  CHECK(quantize(infinity, 1e30f) == 448);
  CHECK(quantize(infinity, -449) == -kInfinity);
  CHECK(quantize(infinity, kInfinity) == kInfinity);
}

// What rounds stochastically is cast to an integer, which infinity must not be.
void test_stochastic_overflow() {
  for (const Overflow overflow : {Overflow::kSaturate, Overflow::kInfinity, Overflow::kNan}) {
    const MinifloatSpec spec = format(3, -6, 14, 8, Rounding::kStochastic, overflow);
    const float beyond = quantize(spec, kInfinity);
    if (overflow == Overflow::kSaturate) CHECK(beyond == 448);
    if (overflow == Overflow::kInfinity) CHECK(beyond == kInfinity);
    if (overflow == Overflow::kNan) CHECK(std::isnan(beyond));
  }
}

void test_without_subnormals() {
  MinifloatSpec spec = e2m1(Rounding::kNearestEven);
  spec.subnormals = false;
  CHECK(quantize(spec, 0.5f) == 0);
  CHECK(quantize(spec, std::nextafter(0.5f, 1.0f)) == 1);
  spec.rounding = Rounding::kUp;
  CHECK(quantize(spec, 1e-40f) == 1);
}

// Ties of 2^e and 2^(e + 1) go to the even exponent, or with an odd bias to the odd one.
void test_powers_of_two() {
  MinifloatSpec spec = format(0, -1, 1, 3);
  spec.subnormals = false;
  CHECK(quantize(spec, 1.5f) == 1 && quantize(spec, 3) == 4 && quantize(spec, 6) == 4);
  CHECK(quantize(spec, 0.25f) == 0 && quantize(spec, 0.3f) == 0.5f && quantize(spec, 99) == 8);
  spec.odd_bias = true;
  CHECK(quantize(spec, 1.5f) == 2 && quantize(spec, 3) == 2 && quantize(spec, 6) == 8);
}

// 2^16 is beyond float16, whose largest number has more bits than the grid's significands.
void test_limit_of_the_array() {
  const MinifloatSpec spec = format(2, -14, 7, 20);
  const uint16_t largest = 0x7BFF, infinity = 0x7C00;
  uint16_t result;
  for (const uint16_t x : {largest, infinity}) {
    minifloat(spec, CarrierType::kHalf, &x, &result, 0, 1);
    CHECK(read_element(CarrierType::kHalf, &result, 0) == 57344);
  }
}

void test_nan_keeps_its_bits() {
  for (const uint32_t bits : {0x7F800001u, 0xFFC12345u}) {
    float nan;
    std::memcpy(&nan, &bits, sizeof(nan));
    const float result = quantize(e2m1(Rounding::kStochastic), nan);
    CHECK(std::memcmp(&nan, &result, sizeof(nan)) == 0);
  }
}

}  // namespace
}  // namespace quant_ops

int main() {
  quant_ops::test_roundings();
  quant_ops::test_zeros();
  quant_ops::test_overflow();
  quant_ops::test_stochastic_overflow();
  quant_ops::test_without_subnormals();
  quant_ops::test_powers_of_two();
  quant_ops::test_limit_of_the_array();
  quant_ops::test_nan_keeps_its_bits();
  std::printf("passed with %s\n", quant_ops::instruction_set());
}
