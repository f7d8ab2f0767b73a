#include "call.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "../core/scaled_integer_scales.h"

namespace quant_ops {
namespace {

Rounding draw_rounding(Random& random) { return static_cast<Rounding>(random.between(0, 6)); }

Stream draw_stream(Random& random) {
  if (random.one_in(4)) return {random.bits() % 3, ~(random.bits() % 3)};
  return {random.bits(), random.bits()};
}

int exponent_of(double value) { return value == 0 ? -1074 : std::ilogb(value); }

Call draw_fixed_point(Random& random, CarrierType) {
  FixedPointSpec spec;
  spec.word_bits = static_cast<int>(random.edgy(1, 64));
  const int reach = random.one_in(4) ? 512 : 64;
  spec.frac_bits = static_cast<int>(random.edgy(-reach, reach));
  spec.is_signed = random.one_in(2);
  spec.rounding = draw_rounding(random);
  spec.overflow = random.pick({Overflow::kSaturate, Overflow::kWrap});
  spec.stream = draw_stream(random);
  Call call;
  call.work = [spec](auto... arguments) { fixed_point(spec, arguments...); };
  call.lowest = -spec.frac_bits;
  call.highest = spec.word_bits - spec.frac_bits;
  call.finite = spec.overflow == Overflow::kSaturate;
  call.idempotent = true;
  return call;
}

Call draw_scaled_integer(Random& random, CarrierType type) {
  ScaledIntegerSpec spec;
  spec.word_bits = static_cast<int>(random.edgy(1, random.one_in(2) ? 64 : 20));
  spec.rounding = draw_rounding(random);
  spec.overflow = random.one_in(3) ? Overflow::kWrap : Overflow::kSaturate;
  spec.stream = draw_stream(random);
  const CarrierType scale_type = static_cast<CarrierType>(random.between(0, 3));
  std::vector<double> scales(random.one_in(2) ? 1 : random.between(1, 40));
  for (double& scale : scales) scale = draw_value(random, scale_type);
  const int64_t inner = random.one_in(2) ? 1 : random.between(1, 600);
  const auto table = std::make_shared<ScaleTable>(spec, type, scale_type, scales, inner);
  spec.scales = table->scales();
  Call call;
  call.work = [spec, table](auto... arguments) { scaled_integer(spec, arguments...); };
  call.lowest = exponent_of(scales.back());
  call.highest = call.lowest + spec.word_bits;
  call.finite = spec.overflow == Overflow::kSaturate;
  // Of larger integers a product does not tell which it was; a neighbour may wrap.
  call.idempotent = call.finite && spec.word_bits <= 52;
  return call;
}

MinifloatSpec draw_grid(Random& random, int fewest_mantissa_bits) {
  MinifloatSpec spec;
  spec.mantissa_bits = static_cast<int>(random.edgy(fewest_mantissa_bits, 23));
  const bool powers_of_two = spec.mantissa_bits == 0;
  spec.min_exponent =
      static_cast<int>(powers_of_two ? random.edgy(-512, 512) : random.edgy(-126, 127));
  const int highest = powers_of_two ? 512 : 127;
  const int furthest = random.one_in(2) ? highest : std::min(spec.min_exponent + 16, highest);
  spec.max_exponent = static_cast<int>(random.edgy(spec.min_exponent, furthest));
  const int64_t one = int64_t{1} << spec.mantissa_bits;
  spec.max_significand = random.edgy(one, 2 * one - 1);
  spec.rounding = draw_rounding(random);
  spec.stream = draw_stream(random);
  return spec;
}

Call draw_minifloat(Random& random, CarrierType) {
  MinifloatSpec spec = draw_grid(random, 0);
  spec.subnormals = random.one_in(2);
  spec.odd_bias = random.one_in(2);
  spec.signed_zero = random.one_in(2);
  spec.overflow = random.pick({Overflow::kSaturate, Overflow::kInfinity, Overflow::kNan});
  Call call;
  call.work = [spec](auto... arguments) { minifloat(spec, arguments...); };
  call.lowest = spec.min_exponent - spec.mantissa_bits;
  call.highest = spec.max_exponent;
  call.finite = spec.overflow == Overflow::kSaturate;
  call.idempotent = true;
  return call;
}

Call draw_level_call(Random& random, CarrierType type) {
  LevelSpec spec;
  spec.kind = random.pick({LevelKind::kBinary, LevelKind::kTernary, LevelKind::kSparse});
  spec.level = draw_value(random, type);
  if (spec.level == 0) spec.level = 1;
  spec.threshold = draw_value(random, random.one_in(2) ? type : CarrierType::kDouble);
  spec.rounding = draw_rounding(random);
  if (spec.kind == LevelKind::kBinary) {
    spec.rounding = random.pick({Rounding::kNearestUp, Rounding::kStochastic});
  }
  spec.stream = draw_stream(random);
  Call call;
  call.work = [spec](auto... arguments) { level(spec, arguments...); };
  const bool binary = spec.kind == LevelKind::kBinary;
  call.lowest = call.highest = exponent_of(binary ? spec.level : spec.threshold);
  call.finite = spec.kind != LevelKind::kSparse;
  call.idempotent = spec.kind != LevelKind::kTernary || spec.level > spec.threshold;
  return call;
}

// Elements are integers or minifloats; what describes the other kind is anything.
Call draw_block_scaled(Random& random, CarrierType) {
  BlockScaledSpec spec;
  spec.element = draw_grid(random, 1);
  if (random.one_in(2)) {
    spec.word_bits = static_cast<int>(random.edgy(2, 32));
    spec.limited_scale = random.one_in(2);
    spec.element.subnormals = spec.element.odd_bias = spec.element.signed_zero = random.one_in(2);
  }
  spec.scale_rounding = random.pick(
      {ScaleRounding::kFloor, ScaleRounding::kCeil, ScaleRounding::kUp, ScaleRounding::kEven});
  constexpr int64_t kMost = 20000;
  spec.block_size = random.one_in(2) ? random.pick<int64_t>({1, 2, 31, 32, 33, 511, 512, 513, 700})
                                     : random.between(1, random.one_in(4) ? 700 : 40);
  const int64_t most = std::min<int64_t>(600, kMost / spec.block_size);
  if (random.one_in(2)) spec.inner = random.edgy(1, most);
  Call call;
  call.work = [spec](auto... arguments) { block_scaled(spec, arguments...); };
  call.lowest = -10;
  call.highest = 10;
  if (random.one_in(2)) call.lowest = call.highest = static_cast<int>(random.between(-1100, 1100));
  // Other rules may find another scale for the results, whose largest is not that of x.
  call.idempotent = spec.scale_rounding == ScaleRounding::kFloor;
  call.block_size = spec.block_size;
  call.inner = spec.inner;
  return call;
}

// Mostly few groups, now and then around the loops' blocks of 512; far from 0 now and then.
void draw_extent(Random& random, Call* call) {
  const int64_t group = call->block_size * call->inner;
  const int64_t elements = random.pick({random.between(0, 40), random.between(0, 40),
                                        random.between(510, 514), random.between(0, 3000)});
  call->groups = group == 1 ? elements : (elements + group - 1) / group;
  if (random.one_in(3)) {
    const int64_t far = random.between(1, 200) << 32;
    call->first_group = far / group - random.between(0, call->groups);
  }
}

}  // namespace

void Call::run(const Array& in, Array* out, int64_t begin, int64_t end) const {
  // The core counts from the tensor's first element, which may lie far outside of memory.
  const uintptr_t offset =
      static_cast<uintptr_t>(first_group * block_size * inner) * facts(type).bytes;
  const uintptr_t from = reinterpret_cast<uintptr_t>(in.data()) - offset;
  const uintptr_t to = reinterpret_cast<uintptr_t>(out->data()) - offset;
  work(type, reinterpret_cast<const void*>(from), reinterpret_cast<void*>(to), begin, end);
}

Call draw_call(Random& random) {
  constexpr Call (*kDraws[])(Random&, CarrierType) = {
      draw_fixed_point, draw_scaled_integer, draw_minifloat, draw_level_call, draw_block_scaled};
  const CarrierType type = static_cast<CarrierType>(random.between(0, 3));
  Call call = kDraws[random.between(0, 4)](random, type);
  call.type = type;
  draw_extent(random, &call);
  return call;
}

Array draw_array(Random& random, const Call& call) {
  Array array(call.count() * facts(call.type).bytes);
  const auto draw = [&](uint64_t special_odds) {
    return draw_element(random, call.type, call.lowest, call.highest, special_odds);
  };
  uint64_t palette[3];
  for (uint64_t& color : palette) color = draw(2);
  const int64_t colors = random.one_in(8) ? random.between(1, 3) : 0;
  for (int64_t i = 0; i < call.count(); ++i) {
    const uint64_t bits = colors > 0 ? palette[random.between(0, colors - 1)] : draw(16);
    set_element(call.type, i, bits, &array);
  }
  if (random.one_in(3)) {  // onto the grid and next to it
    call.run(array, &array, call.first_block(), call.end_block());
    for (int64_t i = 0; i < call.count(); ++i) {
      const uint64_t nudge = static_cast<uint64_t>(random.between(-1, 1));
      set_element(call.type, i, call.element(array, i) + nudge, &array);
    }
  }
  return array;
}

}  // namespace quant_ops
