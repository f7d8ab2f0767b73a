// Elements that share a power of two per block: q(x) = 2^k * element(x / 2^k).
#ifndef QUANT_OPS_CORE_BLOCK_SCALED_H_
#define QUANT_OPS_CORE_BLOCK_SCALED_H_

#include <cstdint>

#include "elementwise.h"
#include "float_types.h"
#include "minifloat.h"
#include "per_instruction_set.h"
#include "quantize.h"
#include "rounding.h"
#include "shared_exponent.h"
#include "word_limits.h"

namespace quant_ops::QUANT_OPS_ISA {

// step * {-largest, .., largest}. The steps of float64 go beyond its normal numbers, so they are
// products.
template <class C>
struct IntegerGrid {
  C largest;
  C steps_a, steps_b;  // steps per unit
  C step_a, step_b;

  template <Rounding rounding>
  C quantize(C x, int32_t bits31) const {
    C magnitude = not_vanished<rounding>(absolute(x) * steps_a * steps_b, x);
    magnitude = magnitude < largest ? magnitude : largest;
    const C q = round_with_sign<rounding>(magnitude, x, bits31);
    return q * step_a * step_b + C{0};  // never -0
  }

  IntegerGrid scaled(int32_t exponent) const {
    const int32_t half = sizeof(C) == sizeof(double) ? exponent >> 1 : 0;
    const int32_t rest = exponent - half;
    return {largest, power<C>(-half), power<C>(-rest), power<C>(half), power<C>(rest)};
  }

  template <class P>
  static P power(int32_t exponent) {
    using Bits = typename Carrier<P>::Bits;
    constexpr int kBias = 1 - Carrier<P>::kMinExponent;
    const Bits field = static_cast<Bits>(exponent + kBias);
    return bit_cast<P>(static_cast<Bits>(field << (Carrier<P>::kPrecision - 1)));
  }
};

// The element's grid in the scale of each block.
template <class Element>
struct ScaledGrids {
  Element element;
  const int32_t* exponent;

  Element at(int i) const { return element.scaled(exponent[i]); }
};

// The largest number of integer elements that T can hold: a multiple of 2^exponent.
template <class T>
inline double integer_largest(int word_bits, int exponent) {
  const uint64_t largest = (uint64_t{1} << (word_bits - 1)) - 1;
  const int room = 2 - Carrier<T>::kMinExponent - exponent;  // bits below 2^(T's exponents)
  if (room <= 0) return 0;
  const uint64_t most = room < 64 ? (uint64_t{1} << room) - 1 : ~uint64_t{0};
  return held<T>(largest < most ? largest : most, exponent);
}

// Puts the largest number that T can hold in the place of results beyond, and of infinity's.
template <class T, class C>
inline void keep_within(const BlockScaledSpec& spec, const int32_t* exponent, const T* in,
                        int count, C* out) {
  for (int i = 0; i < count; ++i) {
    const bool infinite = magnitude_bits(in[i]) == Carrier<T>::kInfinity;
    if (!infinite && !(absolute(out[i]) > static_cast<C>(Carrier<T>::kMax))) continue;
    const bool negative = magnitude_bits(in[i]) != bit_cast<typename Carrier<T>::Bits>(in[i]);
    const double largest = spec.word_bits > 0
                               ? integer_largest<T>(spec.word_bits, exponent[i])
                               : minifloat_largest<T>(spec.element, exponent[i]);
    const C limit = static_cast<C>(largest);
    out[i] = negative && !(spec.word_bits > 0 && limit == C{0}) ? -limit : limit;
  }
}

template <class T>
class BlockScaled {
 public:
  BlockScaled(const BlockScaledSpec& spec, const void* in, void* out)
      : spec_(spec),
        rule_(scale_rule(spec)),
        in_(static_cast<const T*>(in)),
        out_(static_cast<T*>(out)) {}

  void run(int64_t begin, int64_t end) const {
    for (int64_t block = begin; block < end;) {
      if (spec_.inner > 1) {
        block += columns(block, end);
      } else if (spec_.block_size <= kBlock) {
        block += spec_.block_size == 32 ? short_blocks<32>(block, end) : short_blocks<0>(block, end);
      } else {
        block += long_block(block);
      }
    }
  }

 private:
  using Bits = typename Carrier<T>::Bits;

  // Each returns how many blocks it has done. A size known to the compiler takes half the time.
  template <int kSize>
  int64_t short_blocks(int64_t block, int64_t end) const {
    const int size = kSize > 0 ? kSize : static_cast<int>(spec_.block_size);
    const int64_t left = end - block;
    const int count = static_cast<int>(left < kBlock / size ? left : kBlock / size);
    const int64_t first = block * size;
    Bits largest[kBlock];
    for (int i = 0; i < count; ++i) largest[i] = maximum(first + size * i, size);
    Steps<T> blocks, elements;
    blocks.set(rule_, largest, count,
               [&](int i) { return finite_maximum(first + i * size, 1, size); });
    for (int i = 0; i < count; ++i) {
      for (int j = 0; j < size; ++j) elements.exponent[i * size + j] = blocks.exponent[i];
    }
    elements.limited = blocks.limited;
    elements.wide = blocks.wide;
    quantize(elements, first, count * size);
    return count;
  }

  int64_t long_block(int64_t block) const {
    const int64_t size = spec_.block_size, first = block * size, end = first + size;
    Bits largest[1] = {maximum(first, size)};
    Steps<T> steps;
    steps.set(rule_, largest, 1, [&](int) { return finite_maximum(first, 1, size); });
    for (int i = 1; i < kBlock; ++i) steps.exponent[i] = steps.exponent[0];
    for (int64_t i = first; i < end; i += kBlock) {
      quantize(steps, i, static_cast<int>(end - i < kBlock ? end - i : kBlock));
    }
    return 1;
  }

  int64_t columns(int64_t block, int64_t end) const {
    const int64_t size = spec_.block_size, inner = spec_.inner, column = block % inner;
    int64_t width = inner - column < end - block ? inner - column : end - block;
    width = width < kBlock ? width : kBlock;
    const int count = static_cast<int>(width);
    const int64_t first = block / inner * size * inner + column;
    Bits largest[kBlock] = {};
    for (int64_t row = 0; row < size; ++row) {
      const T* in = in_ + first + row * inner;
      QUANT_OPS_VECTOR_LOOP
      for (int i = 0; i < count; ++i) largest[i] = larger(largest[i], magnitude_bits(in[i]));
    }
    Steps<T> steps;
    steps.set(rule_, largest, count,
              [&](int i) { return finite_maximum(first + i, inner, size); });
    quantize(steps, first, count, size);
    return width;
  }

  inline __attribute__((always_inline)) Bits maximum(int64_t first, int64_t size) const {
    const T* in = in_ + first;
    Bits largest = 0;
    QUANT_OPS_VECTOR_LOOP
    for (int64_t j = 0; j < size; ++j) largest = larger(largest, magnitude_bits(in[j]));
    return largest;
  }

  Bits finite_maximum(int64_t first, int64_t stride, int64_t size) const {
    Bits largest = 0;
    for (int64_t j = 0; j < size; ++j) {
      const Bits magnitude = magnitude_bits(in_[first + j * stride]);
      if (magnitude < Carrier<T>::kInfinity) largest = larger(largest, magnitude);
    }
    return largest;
  }

  static Bits larger(Bits a, Bits b) { return a > b ? a : b; }

  // Rows of `count` elements, `inner` apart, all with these steps.
  void quantize(const Steps<T>& steps, int64_t first, int count, int64_t rows = 1) const {
    if constexpr (sizeof(T) < sizeof(double)) {
      if (!steps.wide) return quantize_as<float>(steps, first, count, rows);
    }
    quantize_as<double>(steps, first, count, rows);
  }

  template <class C>
  void quantize_as(const Steps<T>& steps, int64_t first, int count, int64_t rows) const {
    const auto run = [&](const auto& element) {
      with_rounding(spec_.element.rounding, [&](auto tag) {
        for (int64_t row = 0; row < rows; ++row) {
          quantize_row<decltype(tag)::value, C>(element, steps, first + row * spec_.inner, count);
        }
      });
    };
    if (spec_.word_bits == 0) {
      return run(minifloat_grid<C, C, Significands::kUniform, true>(spec_.element));
    }
    const uint64_t largest = (uint64_t{1} << (spec_.word_bits - 1)) - 1;
    run(IntegerGrid<C>{static_cast<C>(held<T>(largest, 0)), 1, 1, 1, 1});
  }

  template <Rounding rounding, class C, class Element>
  void quantize_row(const Element& element, const Steps<T>& steps, int64_t first,
                    int count) const {
    C buffer[kBlock];
    for (int done = 0; done < count;) {
      const int64_t at = first + done;
      const int length = block_length(at, first + count);
      const ScaledGrids<Element> grids{element, steps.exponent + done};
      const RandomBlock random(spec_.element.stream, at);
      done += length;
      if constexpr (sizeof(T) == sizeof(C)) {
        if (!steps.limited) {
          quantize_block<rounding>(grids, random, in_ + at, length, out_ + at);
          continue;
        }
      }
      widen_block(in_ + at, length, buffer);
      quantize_block<rounding>(grids, random, buffer, length, buffer);
      if (steps.limited) keep_within(spec_, grids.exponent, in_ + at, length, buffer);
      narrow_block(buffer, in_ + at, length, out_ + at);
    }
  }

  const BlockScaledSpec& spec_;
  const ScaleRule rule_;
  const T* in_;
  T* out_;
};

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_BLOCK_SCALED_H_
