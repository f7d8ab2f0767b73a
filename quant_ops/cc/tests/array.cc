#include "array.h"

#include <algorithm>
#include <cstring>

namespace quant_ops {

TypeFacts facts(CarrierType type) {
  switch (type) {
    case CarrierType::kHalf:
      return {2, 10, 15};
    case CarrierType::kBFloat16:
      return {2, 7, 127};
    case CarrierType::kFloat:
      return {4, 23, 127};
    case CarrierType::kDouble:
      break;
  }
  return {8, 52, 1023};
}

uint64_t element(CarrierType type, const Array& array, int64_t index) {
  const int bytes = facts(type).bytes;
  uint64_t bits = 0;
  std::memcpy(&bits, array.data() + index * bytes, bytes);
  return bits;
}

void set_element(CarrierType type, int64_t index, uint64_t bits, Array* array) {
  const int bytes = facts(type).bytes;
  std::memcpy(array->data() + index * bytes, &bits, bytes);
}

uint64_t draw_element(Random& random, CarrierType type, int lowest, int highest,
                      uint64_t special_odds) {
  const TypeFacts f = facts(type);
  const uint64_t sign = random.one_in(2) ? f.sign() : 0;
  const uint64_t any = random.bits();
  if (random.one_in(special_odds)) {
    const uint64_t nan = f.infinity() + 1 + any % (f.one() - 1);
    return sign | random.pick({uint64_t{0}, uint64_t{1}, f.one() - 1, f.one(), f.infinity() - 1,
                               f.infinity(), nan});
  }
  if (random.one_in(16)) return any;
  const int64_t exponent = random.between(lowest - 3, highest + 3) + f.max_exponent;
  const int64_t field = std::clamp<int64_t>(exponent, 0, 2 * f.max_exponent);
  const uint64_t tail = ~uint64_t{0} << random.between(0, f.mantissa_bits);
  const int64_t nudge = random.pick({0, 0, -1, 1});
  const uint64_t magnitude = static_cast<uint64_t>(field) * f.one() + (any & tail & (f.one() - 1));
  return (sign | magnitude) + static_cast<uint64_t>(nudge);
}

double draw_value(Random& random, CarrierType type) {
  const TypeFacts f = facts(type);
  const int reach = random.one_in(4) ? f.max_exponent : std::min(f.max_exponent, 30);
  const int64_t field = random.between(1 - reach, reach) + f.max_exponent;
  uint64_t bits = static_cast<uint64_t>(field) * f.one() + random.bits() % f.one();
  if (random.one_in(4)) {
    bits = random.pick({uint64_t{0}, uint64_t{1}, f.one() - 1, f.one(), f.infinity() - 1});
  }
  Array array(f.bytes);
  set_element(type, 0, bits, &array);
  return read_element(type, array.data(), 0);
}

}  // namespace quant_ops
