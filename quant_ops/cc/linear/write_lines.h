// Copies that go past the caches: what is written once, and not read soon, need not be read before
// it is written, and drives nothing else out.
#ifndef QUANT_OPS_LINEAR_WRITE_LINES_H_
#define QUANT_OPS_LINEAR_WRITE_LINES_H_

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace quant_ops::linear {

class LineWriter {
 public:
  LineWriter() = default;
  LineWriter(const LineWriter&) = delete;
  // What was written is there for all threads.
  ~LineWriter() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
  }

  void write(const void* from, int64_t bytes, void* to) const {
#if defined(__SSE2__)
    if (is_of_lines(from, 16) && is_of_lines(to, 64) && bytes % 64 == 0) {
      const __m128i* const in = static_cast<const __m128i*>(from);
      __m128i* const out = static_cast<__m128i*>(to);
      for (int64_t i = 0; i < bytes / 16; ++i) _mm_stream_si128(out + i, _mm_load_si128(in + i));
      return;
    }
#endif
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }

 private:
  static bool is_of_lines(const void* place, uintptr_t size) {
    return reinterpret_cast<uintptr_t>(place) % size == 0;
  }
};

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_WRITE_LINES_H_
