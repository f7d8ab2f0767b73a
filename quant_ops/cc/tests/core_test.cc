// The arithmetic alone, through its public interface: no TensorFlow is linked.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "../core/float_types.h"
#include "../core/quantize.h"
#include "../core/scaled_integer_scales.h"
#include "check.h"

namespace quant_ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float quantize(const FixedPointSpec& spec, float x) {
  float result;
  fixed_point(spec, CarrierType::kFloat, &x, &result, 0, 1);
  return result;
}

FixedPointSpec format(int word_bits, int frac_bits, Rounding rounding = Rounding::kNearestEven,
                      Overflow overflow = Overflow::kSaturate, bool is_signed = true) {
  FixedPointSpec spec;
  spec.word_bits = word_bits;
  spec.frac_bits = frac_bits;
  spec.rounding = rounding;
  spec.overflow = overflow;
  spec.is_signed = is_signed;
  return spec;
}

void test_roundings() {
  struct Row {
    Rounding rounding;
    float expected[6];
  };
  constexpr float kInputs[6] = {-2.5f, -1.5f, -0.25f, 0.25f, 0.5f, 2.5f};
  constexpr Row kRows[] = {
      {Rounding::kNearestEven, {-2, -2, 0, 0, 0, 2}},  //
      {Rounding::kNearestAway, {-3, -2, 0, 0, 1, 3}},  //
      {Rounding::kNearestUp, {-2, -1, 0, 0, 1, 3}},    //
      {Rounding::kDown, {-3, -2, -1, 0, 0, 2}},        //
      {Rounding::kUp, {-2, -1, 0, 1, 1, 3}},           //
      {Rounding::kTowardZero, {-2, -1, 0, 0, 0, 2}},
  };
  for (const Row& row : kRows) {
    for (int i = 0; i < 6; ++i) {
      const float result = quantize(format(8, 0, row.rounding), kInputs[i]);
      CHECK(result == row.expected[i]);
      CHECK(result != 0 || !std::signbit(result));
    }
  }
}

void test_overflow() {
  const FixedPointSpec saturate = format(8, 4);
  CHECK(quantize(saturate, 100) == 7.9375f);
  CHECK(quantize(saturate, -kInfinity) == -8);
  const FixedPointSpec wrap = format(8, 4, Rounding::kNearestEven, Overflow::kWrap);
  CHECK(quantize(wrap, 8) == -8);
  CHECK(quantize(wrap, -8.0625f) == 7.9375f);
  CHECK(std::isnan(quantize(wrap, kInfinity)));
  const FixedPointSpec bytes = format(8, 0, Rounding::kNearestEven, Overflow::kWrap, false);
  CHECK(quantize(bytes, -1) == 255);
  CHECK(quantize(bytes, 256) == 0);
  // 2^32 - 1 needs 32 bits, float holds 24: rounded towards zero.
  const FixedPointSpec wide = format(32, 0, Rounding::kNearestEven, Overflow::kWrap, false);
  CHECK(quantize(wide, -1) == 4294967040.0f);
}

void test_nan_keeps_its_bits() {
  for (const uint32_t bits : {0x7F800001u, 0xFFC12345u}) {
    float nan, result;
    std::memcpy(&nan, &bits, sizeof(nan));
    for (const int frac_bits : {4, 100}) {  // computed in float and in double
      const FixedPointSpec spec = format(8, frac_bits);
      fixed_point(spec, CarrierType::kFloat, &nan, &result, 0, 1);
      CHECK(std::memcmp(&nan, &result, sizeof(nan)) == 0);
    }
  }
}

void test_every_half_converts_and_returns() {
  for (uint32_t bits = 0; bits < 1u << 16; ++bits) {
    const portable::Half half{static_cast<uint16_t>(bits)};
    if (portable::is_nan(half) || portable::magnitude_bits(half) == 0x7C00) continue;
    portable::Half back;
    portable::narrow(portable::to_float(half), &back);
    CHECK(back.bits == half.bits);
  }
}

// Elements around 2^32 take other keys: bits by an independent implementation (the tests' oracle).
void test_random_bits_beyond_2_to_32() {
  FixedPointSpec spec = format(8, 0, Rounding::kStochastic);
  spec.stream = {3, 5};
  constexpr int64_t kFirst = (int64_t{1} << 32) - 1000;
  constexpr int kCount = 2000;
  // The array starts at element kFirst: the pointers are those of the element 0 that is not there.
  std::vector<double> x(kCount, 0.5), whole(kCount), pieces(kCount);
  const auto run = [&](std::vector<double>& out, int64_t begin, int64_t end) {
    const auto origin = [](std::vector<double>& v) {
      const uintptr_t offset = kFirst * sizeof(double);
      return reinterpret_cast<double*>(reinterpret_cast<uintptr_t>(v.data()) - offset);
    };
    fixed_point(spec, CarrierType::kDouble, origin(x), origin(out), begin, end);
  };
  run(whole, kFirst, kFirst + kCount);
  for (int64_t i = 0; i < kCount; i += 7) {
    run(pieces, kFirst + i, kFirst + (i + 7 < kCount ? i + 7 : kCount));
  }
  CHECK(whole == pieces);
  // 0x43EE26FD >> 1 is below 2^30 = floor(0.5 * 2^31): up.
  CHECK(whole[1002] == 1);
}

void test_scaled_integer() {
  ScaledIntegerSpec spec;
  spec.word_bits = 4;
  spec.rounding = Rounding::kDown;
  const ScaleTable table(spec, CarrierType::kFloat, CarrierType::kDouble, {0.1, 0.0}, 2);
  spec.scales = table.scales();
  const float on_grid = static_cast<float>(3 * 0.1);
  const float x[] = {on_grid, 9.0f, on_grid, kInfinity, -0.25f, -9.0f};
  float result[6];
  scaled_integer(spec, CarrierType::kFloat, x, result, 0, 6);
  const float expected[] = {on_grid, 0.7f, 0, 0, static_cast<float>(-3 * 0.1), -0.8f};
  for (int i = 0; i < 6; ++i) CHECK(result[i] == expected[i]);
  CHECK(is_valid_scale(0) && !is_valid_scale(-1));
  CHECK(!is_valid_scale(NAN) && !is_valid_scale(kInfinity));
}

void test_levels() {
  LevelSpec spec;
  spec.level = 2;
  spec.threshold = 0.5;
  constexpr float kInputs[6] = {-kInfinity, -0.5f, -0.0f, 0.25f, 0.5f, 0.75f};
  struct Row {
    LevelKind kind;
    float expected[6];
  };
  constexpr Row kRows[] = {
      {LevelKind::kBinary, {-2, -2, 2, 2, 2, 2}},
      {LevelKind::kTernary, {-2, 0, 0, 0, 0, 2}},
      {LevelKind::kSparse, {-kInfinity, -0.5f, 0, 0, 0.5f, 0.75f}},
  };
  for (const Row& row : kRows) {
    spec.kind = row.kind;
    float result[6];
    level(spec, CarrierType::kFloat, kInputs, result, 0, 6);
    for (int i = 0; i < 6; ++i) {
      CHECK(result[i] == row.expected[i]);
      CHECK(result[i] != 0 || !std::signbit(result[i]));
    }
  }
}

// A threshold that is no number of the array's type still divides its neighbours.
void test_thresholds_between_numbers() {
  const double thresholds[] = {
      0,   0x1p-149,    0x1.8p-149,  0x1.8p-148,     1e-60,          0.1,
      0.7, 1 - 0x1p-26, 1 + 0x1p-24, 0x1.fffffep127, 0x1.ffffffp127, 1e300};
  for (const double threshold : thresholds) {
    const float near = static_cast<float>(threshold);
    for (const float x :
         {0.0f, std::nextafter(near, 0.0f), near, std::nextafter(near, kInfinity)}) {
      LevelSpec spec;
      spec.threshold = threshold;
      float result;
      spec.kind = LevelKind::kTernary;
      level(spec, CarrierType::kFloat, &x, &result, 0, 1);
      CHECK(result == (x > threshold ? 1.0f : 0.0f));
      spec.kind = LevelKind::kSparse;
      level(spec, CarrierType::kFloat, &x, &result, 0, 1);
      CHECK(result == (x >= threshold ? x : 0.0f));
    }
  }
}

// At +-level there is nothing to draw; between, +level has the probability (1 + x / level) / 2.
void test_stochastic_binary() {
  constexpr int kCount = 4096;
  LevelSpec spec;
  spec.level = 4;
  spec.rounding = Rounding::kStochastic;
  for (const float x : {-kInfinity, -4.0f, -1.0f, 0.0f, 4.0f, kInfinity}) {
    const std::vector<float> in(kCount, x);
    std::vector<float> out(kCount);
    level(spec, CarrierType::kFloat, in.data(), out.data(), 0, kCount);
    int up = 0;
    for (const float result : out) {
      CHECK(result == 4 || result == -4);
      up += result == 4;
    }
    const double mean = kCount * (1 + std::fmin(std::fmax(x / 4, -1), 1)) / 2;
    CHECK(std::fabs(up - mean) <= 5 * std::sqrt(mean * (1 - mean / kCount)));  // 5 sigma
  }
}

}  // namespace
}  // namespace quant_ops

int main() {
  quant_ops::test_roundings();
  quant_ops::test_overflow();
  quant_ops::test_nan_keeps_its_bits();
  quant_ops::test_every_half_converts_and_returns();
  quant_ops::test_random_bits_beyond_2_to_32();
  quant_ops::test_scaled_integer();
  quant_ops::test_levels();
  quant_ops::test_thresholds_between_numbers();
  quant_ops::test_stochastic_binary();
  std::printf("passed with %s\n", quant_ops::instruction_set());
}
