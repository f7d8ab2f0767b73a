// The pieces that both quantizers' loops share: blocks that stay in the first-level cache, and the
// choice of compile-time variants from run-time values.
#ifndef QUANT_OPS_CORE_CACHE_BLOCKS_H_
#define QUANT_OPS_CORE_CACHE_BLOCKS_H_

#include <cstdint>

#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"

namespace quant_ops::QUANT_OPS_ISA {

constexpr int kBlock = 512;

// The length of the next block: within [first, end), and with one value of index >> 32.
inline int block_length(int64_t first, int64_t end) {
  int64_t length = end - first < kBlock ? end - first : kBlock;
  const int64_t until_new_keys = (int64_t{1} << 32) - (first & 0xFFFFFFFF);
  return static_cast<int>(length < until_new_keys ? length : until_new_keys);
}

// A loop that does more than move data waits for memory in vain unless it asks ahead: long chains
// of arithmetic fill the processor before the next loads are reached. A few lines at a time, as a
// core has only some dozen requests under way.
constexpr int kStrip = 128;

// Asks for the lines of the strip 1 KiB behind these pointers; past the end that does no harm.
template <class T>
inline void prefetch_strip(const T* in, const T* out) {
  constexpr uintptr_t kAhead = 1024, kLine = 64;
  for (uintptr_t line = kAhead; line < kAhead + kStrip * sizeof(T); line += kLine) {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(in) + line));
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(out) + line), 1);
  }
}

template <class T, class C>
inline void widen_block(const T* in, int count, C* out) {
  QUANT_OPS_VECTOR_LOOP
  for (int i = 0; i < count; ++i) widen(in[i], &out[i]);
}

// NaN are taken from `in`: their bits must survive, and conversions do not promise that.
template <class T, class C>
inline void narrow_block(const C* result, const T* in, int count, T* out) {
  using Bits = typename Carrier<T>::Bits;
  QUANT_OPS_VECTOR_LOOP
  for (int i = 0; i < count; ++i) {
    T narrowed;
    narrow(result[i], &narrowed);
    const Bits original = bit_cast<Bits>(in[i]);
    out[i] = bit_cast<T>(is_nan(in[i]) ? original : bit_cast<Bits>(narrowed));
  }
}

template <Rounding rounding>
struct RoundingTag {
  static constexpr Rounding value = rounding;
};

// Calls visit(RoundingTag<rounding>{}).
template <class Visitor>
inline auto with_rounding(Rounding rounding, Visitor visit) {
  switch (rounding) {
    case Rounding::kNearestEven:
      return visit(RoundingTag<Rounding::kNearestEven>{});
    case Rounding::kNearestAway:
      return visit(RoundingTag<Rounding::kNearestAway>{});
    case Rounding::kNearestUp:
      return visit(RoundingTag<Rounding::kNearestUp>{});
    case Rounding::kDown:
      return visit(RoundingTag<Rounding::kDown>{});
    case Rounding::kUp:
      return visit(RoundingTag<Rounding::kUp>{});
    case Rounding::kTowardZero:
      return visit(RoundingTag<Rounding::kTowardZero>{});
    case Rounding::kStochastic:
      break;
  }
  return visit(RoundingTag<Rounding::kStochastic>{});
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_CACHE_BLOCKS_H_
