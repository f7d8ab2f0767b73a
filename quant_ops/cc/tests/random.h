// What the fuzzers draw from: the same numbers from the same seed on every machine.
#ifndef QUANT_OPS_TESTS_RANDOM_H_
#define QUANT_OPS_TESTS_RANDOM_H_

#include <cstdint>
#include <initializer_list>

namespace quant_ops {

// splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t bits() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }

  // From [low, high].
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
  }

  // From [low, high], often an end of it.
  int64_t edgy(int64_t low, int64_t high) {
    switch (between(0, 7)) {
      case 0:
        return low;
      case 1:
        return high;
      default:
        return between(low, high);
    }
  }

  bool one_in(uint64_t n) { return bits() % n == 0; }

  template <class T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[bits() % choices.size()];
  }

 private:
  uint64_t state_;
};

}  // namespace quant_ops

#endif  // QUANT_OPS_TESTS_RANDOM_H_
