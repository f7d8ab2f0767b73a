// What an inner step does besides dot products: coefficients from activations, offsets from sums.
#ifndef QUANT_OPS_LINEAR_INNER_STEP_H_
#define QUANT_OPS_LINEAR_INNER_STEP_H_

#include <cstdint>
#include <cstring>

#include "../core/counter_rng.h"
#include "../core/per_instruction_set.h"
#include "kernel_tables.h"
#include "losses.h"

namespace quant_ops::QUANT_OPS_ISA {

using linear::CoefficientSpec;
using linear::kColumnUnit;
using linear::SnapshotSpec;
using linear::UpdateSpec;

inline float clamped(float x, float low, float high) {
  x = x > low ? x : low;
  return x < high ? x : high;
}

// gamma_or = round(unit_r * (change of the prediction)), stochastically: see CoefficientSpec.
template <class Word>
inline uint32_t coefficients(const CoefficientSpec& spec, const int64_t* dots, int64_t stride,
                             int rows, const float* predictions, int64_t predictions_stride,
                             const float* units, float* changes, Word* gamma) {
  const Keys keys = make_keys(spec.stream, 0);
  const float limit = static_cast<float>(spec.limit);
  uint32_t largest = 0;  // the bits of a magnitude are ordered as the magnitude is
  for (int first = 0; first < rows; first += kRowBlock) {
    const int count = rows - first < kRowBlock ? rows - first : kRowBlock;
    for (int o = 0; o < spec.outputs; ++o) {
      for (int r = 0; r < count; ++r) {
        changes[o * kRowBlock + r] = static_cast<float>(dots[o * stride + first + r]) * spec.scale;
      }
    }
    const float* const before = predictions + first;
    if (spec.centered) {
      predict_change(spec.loss, spec.outputs, count, changes, kRowBlock, before,
                     predictions_stride);
    } else {
      predict(spec.loss, spec.outputs, count, changes, kRowBlock);
      for (int o = 0; o < spec.outputs; ++o) {
        for (int r = 0; r < count; ++r) {
          changes[o * kRowBlock + r] -= before[o * predictions_stride + r];
        }
      }
    }
    for (int o = 0; o < spec.outputs; ++o) {
      const float* const change = changes + o * kRowBlock;
      Word* const out = gamma + o * stride + first;
      const uint32_t index = static_cast<uint32_t>(o * stride + first);
      QUANT_OPS_VECTOR_LOOP
      for (int r = 0; r < count; ++r) {
        const float y = change[r] * units[first + r];
        const uint32_t magnitude = magnitude_bits(y);
        largest = magnitude > largest ? magnitude : largest;
        const float bounded = clamped(y, -limit, limit);
        const float below = __builtin_floorf(bounded);
        const int32_t bits24 =
            static_cast<int32_t>(random_bits(keys, index + static_cast<uint32_t>(r)) >> 8);
        const bool up = bits24 < static_cast<int32_t>((bounded - below) * 0x1p24f);
        out[r] = static_cast<Word>(static_cast<int32_t>(below) + (up ? 1 : 0));
      }
    }
  }
  return largest;
}

// Rows' activations move by scale * dots; what their weighted derivatives have become is approached
// by `reference`, in steps of `quantum`: the steps are the coefficients of the gradient's change.
// Returns the squares of what is left, weighted by nothing, and the loss.
template <class Word>
inline linear::SnapshotSums snapshot(const SnapshotSpec& spec, const int64_t* dots,
                                     int64_t dots_stride, int rows, const linear::RowState& state,
                                     double* scratch, Word* gamma, int64_t gamma_stride) {
  for (int o = 0; o < spec.outputs; ++o) {
    double* const a = state.activations + o * state.stride;
    QUANT_OPS_VECTOR_LOOP
    for (int r = 0; r < rows; ++r) {
      a[r] += static_cast<double>(dots[o * dots_stride + r]) * spec.scale;
      scratch[o * kRowBlock + r] = a[r];
    }
  }
  linear::SnapshotSums sums;
  sums.loss = predict_and_lose(spec.loss, spec.outputs, rows, scratch, kRowBlock, state.targets,
                               state.weights);
  const double limit = spec.limit, quantum = spec.quantum, inverse = 1 / spec.quantum;
  double goals[kRowBlock], steps[kRowBlock], rests[kRowBlock] = {}, largest[kRowBlock] = {};
  if (spec.loss != Loss::kSoftmax) std::memcpy(goals, state.targets, rows * sizeof(double));
  for (int o = 0; o < spec.outputs; ++o) {
    double* __restrict const reference = state.references + o * state.stride;
    float* __restrict const predictions = state.predictions + o * state.stride;
    const double* __restrict const p = scratch + o * kRowBlock;
    const double* __restrict const weights = state.weights;
    Word* __restrict const out = gamma + o * gamma_stride;
    if (spec.loss == Loss::kSoftmax) {
      const double output = o;
      for (int r = 0; r < rows; ++r) goals[r] = state.targets[r] == output ? 1.0 : 0.0;
    }
    QUANT_OPS_VECTOR_LOOP
    for (int r = 0; r < rows; ++r) {
      const double change = weights[r] * (p[r] - goals[r]) - reference[r];
      double n = __builtin_rint(change * inverse);
      n = n > -limit ? n : -limit;
      n = n < limit ? n : limit;
      steps[r] = n;
      reference[r] += n * quantum;
      const double rest = change - n * quantum;
      rests[r] += rest * rest;
      const double magnitude = change < 0 ? -change : change;
      largest[r] = magnitude > largest[r] ? magnitude : largest[r];
    }
    // Loops of their own, as their vectors are of other widths.
    for (int r = 0; r < rows; ++r) predictions[r] = static_cast<float>(p[r]);
    for (int r = 0; r < rows; ++r) out[r] = static_cast<Word>(static_cast<int32_t>(steps[r]));
  }
  sums.rest = sum_in_parts(rests, rows);
  sums.largest = largest_of(largest);
  return sums;
}

// z = clamp(floor((z keep - sum 2^shift - h + r) / 2^16)), r in [0, 2^16), all in steps of 2^-16:
// the upper 8 bits of r are the element's own, the lower 8 all elements' in this step, which leaves
// the rounding of each without bias. Four elements of a unit, 16 apart, share one draw.
template <bool decays>
inline void update_unit(const UpdateSpec& spec, Keys keys, int32_t shared, uint32_t index,
                        const int32_t* sums, const int32_t* drift, const int32_t* keep, int8_t* z) {
  constexpr int kDraws = kColumnUnit / 4;
  const int32_t bound = int32_t{1} << (29 - spec.shift);
  const int32_t low = -spec.limit - 1, high = spec.limit;
  uint32_t draws[kDraws];
  int32_t values[kColumnUnit];
  QUANT_OPS_VECTOR_LOOP
  for (int i = 0; i < kDraws; ++i) draws[i] = random_bits(keys, index + static_cast<uint32_t>(i));
  QUANT_OPS_VECTOR_LOOP
  for (int j = 0; j < kColumnUnit; ++j) values[j] = z[j];
  for (int part = 0; part < 4; ++part) {
    QUANT_OPS_VECTOR_LOOP
    for (int i = 0; i < kDraws; ++i) {
      const int j = part * kDraws + i;
      int32_t s = sums[j] < bound ? sums[j] : bound;
      s = s > -bound ? s : -bound;
      const int32_t own = static_cast<int32_t>(draws[i] >> (8 * part) << 8 & 0xFF00);
      const int32_t kept = decays ? values[j] * keep[j] : values[j] * 65536;
      int32_t v = (kept - s * (1 << spec.shift) - drift[j] + (own + shared)) >> 16;
      v = v > low ? v : low;
      values[j] = v < high ? v : high;
    }
  }
  QUANT_OPS_VECTOR_LOOP
  for (int j = 0; j < kColumnUnit; ++j) z[j] = static_cast<int8_t>(values[j]);
}

inline void update_narrow(const UpdateSpec& spec, const int32_t* sums, const int32_t* drift,
                          const int32_t* keep, int64_t index_base, int64_t begin, int64_t end,
                          int8_t* z) {
  const Keys keys = make_keys(spec.stream, 1);
  const int32_t shared = static_cast<int32_t>(random_bits(keys, 0xFFFFFFFFu) >> 24);
  const auto run = spec.decays ? update_unit<true> : update_unit<false>;
  for (int64_t first = begin; first < end; first += kColumnUnit) {
    const uint32_t index = static_cast<uint32_t>((index_base + first) / 4);
    run(spec, keys, shared, index, sums + first, drift + first, keep + first, z + first);
    // Beyond the last column offsets stay zero.
    for (int64_t j = end; j < first + kColumnUnit; ++j) z[j] = 0;
  }
}

// The same in double, whose 53 bits hold every term exactly: in steps of 2^-24, with 24 random bits
// for every element.
inline void update_wide(const UpdateSpec& spec, const double* sums, const double* drift,
                        const double* keep, int64_t index_base, int64_t begin, int64_t end,
                        int16_t* z) {
  const Keys keys = make_keys(spec.stream, 1);
  const double unit = static_cast<double>(int64_t{1} << spec.shift);
  const double bound = 0x1p50 / unit;
  const double low = -spec.limit - 1, high = spec.limit;
  QUANT_OPS_VECTOR_LOOP
  for (int64_t j = begin; j < end; ++j) {
    double s = sums[j] < bound ? sums[j] : bound;
    s = s > -bound ? s : -bound;
    const uint32_t bits = random_bits(keys, static_cast<uint32_t>(index_base + j)) >> 8;
    const double v = z[j] * keep[j] - s * unit - drift[j] + static_cast<int32_t>(bits);
    double whole = __builtin_floor(v * 0x1p-24);
    whole = whole > low ? whole : low;
    whole = whole < high ? whole : high;
    z[j] = static_cast<int16_t>(static_cast<int32_t>(whole));
  }
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_INNER_STEP_H_
