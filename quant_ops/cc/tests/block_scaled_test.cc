// Blocks with a shared power of two, by hand.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <vector>

#include "../core/quantize.h"
#include "check.h"

namespace quant_ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> quantize(const BlockScaledSpec& spec, const std::vector<float>& x) {
  std::vector<float> result(x.size());
  const int64_t blocks = static_cast<int64_t>(x.size()) / spec.block_size;
  block_scaled(spec, CarrierType::kFloat, x.data(), result.data(), 0, blocks);
  return result;
}

BlockScaledSpec block_float(int word_bits, int64_t block_size) {
  BlockScaledSpec spec;
  spec.word_bits = word_bits;
  spec.limited_scale = false;
  spec.block_size = block_size;
  return spec;
}

// E2M1: the largest number is 1.5 * 2^2.
BlockScaledSpec mxfp4(ScaleRounding scale_rounding) {
  BlockScaledSpec spec;
  spec.element.mantissa_bits = 1;
  spec.element.max_significand = 3;
  spec.element.max_exponent = 2;
  spec.scale_rounding = scale_rounding;
  spec.block_size = 4;
  return spec;
}

// The largest magnitude, 1.9, leads to steps of 1/4, of which there are at most 7.
void test_block_float() {
  const std::vector<float> x = {1.0f, 0.3f, -1.0f, 1.9f, 0.125f, 0.375f, -1.9f, -0.1f};
  const std::vector<float> expected = {1.0f, 0.25f, -1.0f, 1.75f, 0.0f, 0.5f, -1.75f, 0.0f};
  CHECK(quantize(block_float(4, 8), x) == expected);
}

void test_every_block_has_its_step() {
  const std::vector<float> x = {4.4f, 0.9f, 0.55f, 0.1f};
  CHECK((quantize(block_float(3, 2), x) == std::vector<float>{4, 0, 0.5f, 0}));
  // The same elements as columns: blocks {4.4, 0.55} and {0.9, 0.1}.
  BlockScaledSpec columns = block_float(3, 2);
  columns.inner = 2;
  CHECK((quantize(columns, x) == std::vector<float>{4, 0.75f, 0, 0}));
}

// More elements than the loops hold at a time, in one block and in columns of blocks.
void test_long_blocks() {
  for (const int64_t inner : {1, 600}) {
    BlockScaledSpec spec = block_float(4, 1200 / inner);
    spec.inner = inner;
    std::vector<float> x(1200, 0.3f), expected(1200, 0.3125f);
    for (int64_t i = 0; i < inner; ++i) {
      x[i] = 8;  // the largest of its block: steps of 2
      expected[i] = 8;
      for (int64_t j = i + inner; j < 1200; j += inner) expected[j] = 0;
    }
    CHECK(quantize(spec, x) == expected);
  }
}

// Over 6 the scale grows or the element saturates; 7 is the tie of 6 and the missing 8.
void test_scale_roundings() {
  struct Row {
    ScaleRounding scale_rounding;
    float of_5, of_6, of_7;  // the block's largest element
    float of_half;           // 0.5 beside 7
  };
  constexpr Row kRows[] = {
      {ScaleRounding::kFloor, 4, 6, 6, 0.5f},
      {ScaleRounding::kCeil, 4, 6, 8, 0},
      {ScaleRounding::kUp, 4, 6, 8, 0},
      {ScaleRounding::kEven, 4, 6, 8, 0},
  };
  for (const Row& row : kRows) {
    const BlockScaledSpec spec = mxfp4(row.scale_rounding);
    CHECK(quantize(spec, {5, 0, 0, 0})[0] == row.of_5);
    CHECK(quantize(spec, {6, 0, 0, 0})[0] == row.of_6);
    const std::vector<float> result = quantize(spec, {7, 0.5f, 0, 0});
    CHECK(result[0] == row.of_7 && result[1] == row.of_half);
  }
}

void test_special_values() {
  const std::vector<float> result =
      quantize(mxfp4(ScaleRounding::kFloor), {kNan, kInfinity, -1, -1e-30f});
  CHECK(std::isnan(result[0]));
  CHECK(result[1] == 1.5f && result[2] == -1 && result[3] == 0 && std::signbit(result[3]));
  const std::vector<float> zeros = quantize(block_float(4, 4), {-0.0f, 0, kNan, 0});
  CHECK(zeros[0] == 0 && !std::signbit(zeros[0]) && std::isnan(zeros[2]));
  // Nothing but infinities: as if float's largest number were there.
  CHECK(quantize(block_float(4, 1), {-kInfinity})[0] == -0x1.Cp127f);
}

// The scale of a block stays in [2^-127, 2^127], where it is limited.
void test_limited_scale() {
  BlockScaledSpec spec = block_float(8, 1);
  double x = 0x1p500, result;
  block_scaled(spec, CarrierType::kDouble, &x, &result, 0, 1);
  CHECK(result == x);
  spec.limited_scale = true;
  block_scaled(spec, CarrierType::kDouble, &x, &result, 0, 1);
  CHECK(result == 127 * 0x1p121);
}

}  // namespace
}  // namespace quant_ops

int main() {
  quant_ops::test_block_float();
  quant_ops::test_every_block_has_its_step();
  quant_ops::test_long_blocks();
  quant_ops::test_scale_roundings();
  quant_ops::test_special_values();
  quant_ops::test_limited_scale();
  std::printf("passed with %s\n", quant_ops::instruction_set());
}
