// What the solvers' power iterations have in common: how long they are, and where they begin.
#ifndef QUANT_OPS_LINEAR_POWER_ITERATION_H_
#define QUANT_OPS_LINEAR_POWER_ITERATION_H_

#include <cstdint>

#include "../core/counter_rng.h"

namespace quant_ops::linear {

constexpr int kPowers = 16;

// `magnitude` with random signs, the same in every call.
template <class T>
void write_first_vector(T magnitude, int64_t columns, T* out) {
  const auto keys = portable::make_keys(Stream{0, 0}, 0);
  for (int64_t j = 0; j < columns; ++j) {
    const bool positive = portable::random_bits(keys, static_cast<uint32_t>(j)) & 1;
    out[j] = positive ? magnitude : static_cast<T>(-magnitude);
  }
}

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_POWER_ITERATION_H_
