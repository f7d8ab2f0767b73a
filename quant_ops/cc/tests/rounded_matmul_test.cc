// Products with a rounded running sum: by hand, and that tiles and their order do not show.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "../core/quantize.h"
#include "check.h"
#include "random.h"

namespace quant_ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class Spec>
std::vector<float> multiply(const Spec& spec, Product product, const std::vector<float>& a,
                            const std::vector<float>& b) {
  std::vector<float> result(product.batch * product.rows * product.columns);
  product.a = a.data();
  product.b = b.data();
  product.result = result.data();
  for (int64_t tile = product.tiles(); tile > 0; --tile) {
    rounded_matmul(spec, product, tile - 1, tile);
  }
  return result;
}

Product shape(int64_t batch, int64_t rows, int64_t terms, int64_t columns, int64_t every) {
  Product product;
  product.batch = batch;
  product.rows = rows;
  product.terms = terms;
  product.columns = columns;
  product.every = every;
  return product;
}

// Words of 4 bits: -8 .. 7.
void test_saturation() {
  FixedPointSpec spec;
  spec.word_bits = 4;
  const std::vector<float> a = {5, 5, -6}, b = {1, 1, 1};
  CHECK(multiply(spec, shape(1, 1, 3, 1, 1), a, b)[0] == 1);
  CHECK(multiply(spec, shape(1, 1, 3, 1, 3), a, b)[0] == 4);
  CHECK(multiply(spec, shape(1, 1, 3, 1, INT64_MAX), a, b)[0] == 4);
  spec.overflow = Overflow::kWrap;
  CHECK(multiply(spec, shape(1, 1, 3, 1, 1), a, b)[0] == 4);
}

void test_special_values() {
  FixedPointSpec spec;
  CHECK(multiply(spec, shape(1, 1, 2, 1, 1), {kInfinity, -1}, {1, 1})[0] == 126);
  const float nan = multiply(spec, shape(1, 1, 2, 1, 1), {kInfinity, 1}, {0, 1})[0];
  const uint32_t canonical = 0x7FC00000u;
  CHECK(std::memcmp(&nan, &canonical, sizeof(nan)) == 0);
  CHECK(multiply(spec, shape(1, 1, 0, 1, 1), {}, {})[0] == 0);
  CHECK(!std::signbit(multiply(spec, shape(1, 1, 1, 1, 1), {-1e-30f}, {1})[0]));
}

// Any sums of matrices of small integers: each is rounded and clamped by itself.
void test_tiles() {
  Random random(1);
  for (const int64_t every : {1, 3, 32, 33, 100}) {
    const Product product = shape(2, 35, 70, 67, every);
    std::vector<float> a(2 * 35 * 70), b(2 * 70 * 67);
    for (float& x : a) x = static_cast<float>(random.between(-4, 4));
    for (float& x : b) x = static_cast<float>(random.between(-4, 4));
    FixedPointSpec spec;
    spec.word_bits = 6;
    const std::vector<float> result = multiply(spec, product, a, b);
    for (int64_t i = 0; i < 2 * 35 * 67; ++i) {
      const int64_t batch = i / (35 * 67), row = i / 67, column = i % 67;
      float sum = 0;
      for (int64_t k = 0; k < 70; ++k) {
        sum += a[row * 70 + k] * b[(batch * 70 + k) * 67 + column];
        if (k % every == every - 1 || k == 69) sum = std::fmin(std::fmax(sum, -32), 31);
      }
      CHECK(result[i] == sum);
    }
  }
}

float draw(Random& random) {
  if (random.one_in(200)) return random.pick({kInfinity, -kInfinity, std::nanf(""), 1e-40f, 3e38f});
  return static_cast<float>(random.between(-999, 999)) * 0x1p-8f;
}

// The first row is the same without the others, whatever is rounded to.
template <class Spec>
void check_first_row(Random& random, Spec spec) {
  spec.rounding = static_cast<Rounding>(random.between(0, 6));
  spec.stream = {random.bits(), random.bits()};
  Product product = shape(1, random.between(1, 40), random.between(0, 70), random.between(1, 80),
                          random.between(1, 80));
  std::vector<float> a(product.rows * product.terms), b(product.terms * product.columns);
  for (float& x : a) x = draw(random);
  for (float& x : b) x = draw(random);
  const std::vector<float> all = multiply(spec, product, a, b);
  product.rows = 1;
  const std::vector<float> first = multiply(spec, product, a, b);
  CHECK(std::memcmp(all.data(), first.data(), first.size() * sizeof(float)) == 0);
}

void test_any_grid() {
  Random random(2);
  for (int i = 0; i < 60; ++i) {
    FixedPointSpec fixed;
    fixed.word_bits = static_cast<int>(random.edgy(1, 64));
    fixed.frac_bits = static_cast<int>(random.one_in(2) ? random.edgy(-512, 512) : 5);
    fixed.is_signed = random.one_in(2);
    fixed.overflow = random.pick({Overflow::kSaturate, Overflow::kWrap});
    check_first_row(random, fixed);
    MinifloatSpec floating;
    floating.mantissa_bits = static_cast<int>(random.edgy(0, 23));
    floating.min_exponent = static_cast<int>(random.edgy(-126, 127));
    floating.max_exponent = static_cast<int>(random.edgy(floating.min_exponent, 127));
    floating.max_significand = (int64_t{2} << floating.mantissa_bits) - 1;
    floating.subnormals = random.one_in(2);
    floating.signed_zero = random.one_in(2);
    floating.overflow = random.pick({Overflow::kSaturate, Overflow::kInfinity, Overflow::kNan});
    check_first_row(random, floating);
  }
}

// E5M2: a sum of ones stops at 8, where the step is 2.
void test_swamping() {
  MinifloatSpec spec;
  spec.mantissa_bits = 2;
  spec.min_exponent = -14;
  spec.max_significand = 7;
  spec.max_exponent = 15;
  const std::vector<float> ones(100, 1);
  CHECK(multiply(spec, shape(1, 1, 100, 1, 1), ones, ones)[0] == 8);
  CHECK(multiply(spec, shape(1, 1, 100, 1, 100), ones, ones)[0] == 96);
}

}  // namespace
}  // namespace quant_ops

int main() {
  quant_ops::test_saturation();
  quant_ops::test_special_values();
  quant_ops::test_tiles();
  quant_ops::test_swamping();
  quant_ops::test_any_grid();
  std::printf("passed with %s\n", quant_ops::instruction_set());
}
