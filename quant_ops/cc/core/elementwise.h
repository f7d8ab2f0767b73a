// The loop over elements that every format shares: blocks that stay in the first-level cache, random
// bits drawn in registers, NaN handed through.
#ifndef QUANT_OPS_CORE_ELEMENTWISE_H_
#define QUANT_OPS_CORE_ELEMENTWISE_H_

#include <cstdint>

#include "cache_blocks.h"
#include "counter_rng.h"
#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"

namespace quant_ops::QUANT_OPS_ISA {

// |x| in some unit; where it vanished because C cannot hold it, something small instead: rounding
// down or up, and no other, tells that from 0.
template <Rounding rounding, class C>
inline C not_vanished(C magnitude, C x) {
  if constexpr (rounding != Rounding::kDown && rounding != Rounding::kUp) return magnitude;
  const C tiny = magnitude_bits(x) == 0 ? C{0} : C{0x1p-100};
  return magnitude > tiny ? magnitude : tiny;
}

// Where a block's random bits come from.
struct RandomBlock {
  Keys keys;
  uint32_t index;  // the lower bits of the first element's

  RandomBlock(const Stream& stream, int64_t first)
      : keys(make_keys(stream, static_cast<uint32_t>(static_cast<uint64_t>(first) >> 32))),
        index(static_cast<uint32_t>(first)) {}
};

// One grid for all elements. It offers: template <Rounding> C quantize(C x, int32_t bits31) const,
// for all x but NaN.
template <class Grid>
struct OneGrid {
  Grid grid;

  const Grid& at(int) const { return grid; }
};

// Elements [begin, end) of a block. `grids` offers at(i), the grid of element i.
template <Rounding rounding, class Grids, class C>
inline void quantize_span(const Grids& grids, const RandomBlock& random, const C* in, int begin,
                          int end, C* out) {
  const Grids g = grids;
  const RandomBlock r = random;
  QUANT_OPS_VECTOR_LOOP
  for (int i = begin; i < end; ++i) {
    int32_t bits31 = 0;
    if constexpr (rounding == Rounding::kStochastic) {
      bits31 = static_cast<int32_t>(random_bits(r.keys, r.index + static_cast<uint32_t>(i)) >> 1);
    }
    const C x = in[i];
    const C result = g.at(i).template quantize<rounding>(x, bits31);
    out[i] = is_nan(x) ? x : result;
  }
}

template <Rounding rounding, class Grids, class C>
inline void quantize_block(const Grids& grids, const RandomBlock& random, const C* in, int count,
                           C* out) {
  quantize_span<rounding>(grids, random, in, 0, count, out);
}

// A whole block of T, computed in C; `buffer` has room for it.
template <Rounding rounding, class Grids, class T, class C>
inline void quantize_elements(const Grids& grids, const RandomBlock& random, const T* in, int count,
                              C* buffer, T* out) {
  const C* from = buffer;
  C* to = buffer;
  if constexpr (sizeof(T) == sizeof(C)) {
    from = in;
    to = out;
  } else {
    widen_block(in, count, buffer);
  }
  for (int strip = 0; strip < count; strip += kStrip) {
    prefetch_strip(in + strip, out + strip);
    const int end = strip + kStrip < count ? strip + kStrip : count;
    quantize_span<rounding>(grids, random, from, strip, end, to);
  }
  if constexpr (sizeof(T) != sizeof(C)) narrow_block(buffer, in, count, out);
}

// Elements [begin, end) of an array of T, computed in C.
template <class T, class C, class Grid>
inline void quantize_range(const Grid& one_grid, Rounding rounding, const Stream& stream,
                           const void* from, void* to, int64_t begin, int64_t end) {
  const T* in = static_cast<const T*>(from);
  T* out = static_cast<T*>(to);
  const OneGrid<Grid> grid{one_grid};
  with_rounding(rounding, [&](auto tag) {
    constexpr Rounding kRounding = decltype(tag)::value;
    C buffer[kBlock];
    for (int64_t first = begin; first < end;) {
      const int count = block_length(first, end);
      const RandomBlock random(stream, first);
      quantize_elements<kRounding>(grid, random, in + first, count, buffer, out + first);
      first += count;
    }
  });
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_ELEMENTWISE_H_
