// The order of the rows, and which batch each step takes: functions of the seed alone, the same for
// every algorithm.
#ifndef QUANT_OPS_LINEAR_MINIBATCH_ORDER_H_
#define QUANT_OPS_LINEAR_MINIBATCH_ORDER_H_

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "../core/counter_rng.h"
#include "huge_page_arrays.h"

namespace quant_ops::linear {

// Purposes of random bits; a stream's counter is 2^8 times a count, plus one of these.
enum class Draw : uint64_t { kOrder, kBatch, kStep };

inline Stream stream(uint64_t seed, Draw draw, uint64_t count) {
  return {seed, (count << 8) + static_cast<uint64_t>(draw)};
}

// A number in [0, count), uniform to 2^-32 (rows and batches are fewer than 2^31).
inline int64_t draw_below(const Stream& stream, int64_t count) {
  const auto keys = portable::make_keys(stream, 0);
  const uint64_t bits = portable::random_bits(keys, 0);
  return static_cast<int64_t>(bits * static_cast<uint64_t>(count) >> 32);
}

inline int64_t batch_of_step(uint64_t seed, uint64_t step, int64_t batches) {
  return draw_below(stream(seed, Draw::kBatch, step), batches);
}

// Batches are consecutive rows of a random order (Fisher-Yates, from the last row down). All
// numbers are drawn first: so many multiplications need not wait for the swaps.
inline Array<int32_t> row_order(uint64_t seed, int64_t rows) {
  Array<int32_t> order(rows, Unwritten{}), drawn(rows, Unwritten{});
  for (int64_t i = 0; i < rows; ++i) {
    drawn[i] = static_cast<int32_t>(draw_below(stream(seed, Draw::kOrder, i), i + 1));
  }
  std::iota(order.data(), order.data() + rows, int32_t{0});
  for (int64_t i = rows - 1; i > 0; --i) std::swap(order[i], order[drawn[i]]);
  return order;
}

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_MINIBATCH_ORDER_H_
