// Random calls of the core, and what holds for all of them. The hash that it prints is the same for
// every instruction set.
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "call.h"
#include "check.h"
#include "random.h"
#include "run_seeds.h"

namespace quant_ops {
namespace {

// A thread that flushes subnormals, as TensorFlow's do, and must find itself so again.
class FlushSubnormals {
#if defined(__x86_64__)
 public:
  FlushSubnormals() { _mm_setcsr(saved_ | kFlags); }
  ~FlushSubnormals() {
    CHECK((_mm_getcsr() & kFlags) == kFlags);
    _mm_setcsr(saved_);
  }

 private:
  static constexpr unsigned kFlags = 0x8040;
  const unsigned saved_ = _mm_getcsr();
#endif
};

// Only blocks [begin, end) are written; NaN keep their bits; nothing else becomes one.
void check_results(const Call& call, const Array& x, const Array& before, const Array& after,
                   int64_t begin, int64_t end) {
  const uint64_t infinity = facts(call.type).infinity();
  for (int64_t i = 0; i < call.count(); ++i) {
    const int64_t block = call.block_of(i);
    if (block < begin || block >= end) {
      CHECK(call.element(after, i) == call.element(before, i));
    } else if (call.magnitude(x, i) > infinity) {
      CHECK(call.element(after, i) == call.element(x, i));
    } else if (call.finite) {
      CHECK(call.magnitude(after, i) < infinity);
    }
  }
}

// The same in place, in two pieces, in either order, whatever the thread does with subnormals.
void check_pieces(Random& random, const Call& call, const Array& x, const Array& expected,
                  int64_t begin, int64_t end) {
  const int64_t cut = random.between(begin, end);
  const bool last_first = random.one_in(2);
  Array array = x;
  {
    const FlushSubnormals scope;
    if (last_first) call.run(array, &array, cut, end);
    call.run(array, &array, begin, cut);
    if (!last_first) call.run(array, &array, cut, end);
  }
  for (int64_t i = 0; i < call.count(); ++i) {
    const int64_t block = call.block_of(i);
    const Array& source = begin <= block && block < end ? expected : x;
    CHECK(call.element(array, i) == call.element(source, i));
  }
}

uint64_t check_call(uint64_t seed) {
  Random random(seed);
  const Call call = draw_call(random);
  const Array x = draw_array(random, call);
  int64_t begin = call.first_block(), end = call.end_block();
  if (random.one_in(2)) {
    begin = random.between(begin, end);
    end = random.between(begin, end);
  }
  const Array given = x;
  const Array before(x.size(), static_cast<unsigned char>(random.bits()));
  Array result = before;
  call.run(x, &result, begin, end);
  CHECK(x == given);
  check_results(call, x, before, result, begin, end);
  check_pieces(random, call, x, result, begin, end);
  if (call.idempotent) {
    Array again = result;
    call.run(again, &again, begin, end);
    CHECK(again == result);
  }
  return hash_of(result);
}

}  // namespace
}  // namespace quant_ops

int main(int argc, char** argv) { return quant_ops::run_seeds(argc, argv, quant_ops::check_call); }
