// A scope in which subnormal numbers count.
#ifndef QUANT_OPS_CORE_FLOAT_ENVIRONMENT_H_
#define QUANT_OPS_CORE_FLOAT_ENVIRONMENT_H_

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace quant_ops {

// TensorFlow's threads flush subnormal results to zero and read subnormal operands as zero. This
// switches both off and puts the thread's state back. The rounding mode is left alone: IEEE's
// default is assumed.
class HonourSubnormals {
 public:
#if defined(__x86_64__)
  HonourSubnormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ & ~kFlags); }
  ~HonourSubnormals() { _mm_setcsr(saved_); }
#elif defined(__aarch64__)
  HonourSubnormals() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" : : "r"(saved_ & ~kFlags));
  }
  ~HonourSubnormals() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }
#else
  HonourSubnormals() = default;
  ~HonourSubnormals() = default;
#endif
  HonourSubnormals(const HonourSubnormals&) = delete;
  HonourSubnormals& operator=(const HonourSubnormals&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr unsigned kFlags = 0x8040;  // MXCSR: flush-to-zero, denormals-are-zero
  unsigned saved_;
#elif defined(__aarch64__)
  static constexpr uint64_t kFlags = uint64_t{1} << 24;  // FPCR.FZ
  uint64_t saved_;
#endif
};

}  // namespace quant_ops

#endif  // QUANT_OPS_CORE_FLOAT_ENVIRONMENT_H_
