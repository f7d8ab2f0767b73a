// Vectors of signed bytes, and the one product that the integer loops are made of:
//   dot(acc, x, w): acc_k += sum of x_b w_b over the four bytes b of the 32-bit lane k.
#ifndef QUANT_OPS_LINEAR_INT8_VECTORS_H_
#define QUANT_OPS_LINEAR_INT8_VECTORS_H_

#include <cstdint>
#include <cstring>

#include "../core/per_instruction_set.h"
#include "kernel_tables.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace quant_ops::QUANT_OPS_ISA {

using linear::Storage;

#if defined(__AVX2__)
// to[k] += v_k + v_(k+4).
inline void add_four(__m256i v, int64_t* to) {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  __m256i* const wide = reinterpret_cast<__m256i*>(to);
  const __m256i sums = _mm256_add_epi64(_mm256_loadu_si256(wide), _mm256_cvtepi32_epi64(four));
  _mm256_storeu_si256(wide, sums);
}
#endif

#if defined(__AVX512VNNI__)

struct Bytes {
  using V = __m512i;
  static constexpr int kSize = 64;
  // Outputs whose sums fit in the registers: with four rows, and with four pieces of columns.
  static constexpr int kForwardOutputs = 5, kBackwardOutputs = 3;

  static V zero() { return _mm512_setzero_si512(); }
  static V splat(int8_t value) { return _mm512_set1_epi8(value); }
  static V splat4(const int8_t* four) {
    int32_t lane;
    std::memcpy(&lane, four, 4);
    return _mm512_set1_epi32(lane);
  }
  static V load(const void* from) { return _mm512_loadu_si512(from); }
  static void store(void* to, V v) { _mm512_storeu_si512(to, v); }

  // The part-th kSize elements of the unit at `column`, as stored but for what makes kInt8
  // unsigned.
  template <Storage storage>
  static V elements(const uint8_t* row, int64_t column, int) {
    if constexpr (storage == Storage::kInt4) {
      const __m256i pairs =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + (column >> 1)));
      const __m256i lower = _mm256_set1_epi8(15);
      const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), lower);
      return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_and_si256(pairs, lower)), upper, 1);
    } else {
      const V x = load(row + column);
      return storage == Storage::kInt8 ? _mm512_xor_si512(x, splat(-128)) : x;
    }
  }

  // What elements() are above the numbers they stand for; as a byte.
  template <Storage storage>
  static constexpr int kOffset = storage == Storage::kInt8   ? 128
                                 : storage == Storage::kInt4 ? 8
                                                             : 0;

  struct Weights {
    V signed_bytes;
  };
  template <Storage storage>
  static Weights weights(V w) {
    return {w};
  }
  // Not the intrinsic, for which GCC 12 copies the sums of a loop back and forth.
  template <Storage storage>
  static V dot(V acc, V x, const Weights& w) {
    asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w.signed_bytes));
    return acc;
  }

  static V add32(V a, V b) { return _mm512_add_epi32(a, b); }
  static V splat32(int32_t value) { return _mm512_set1_epi32(value); }

  // A whole unit of kInt4.
  static V nibbles_dot(V acc, const uint8_t* pairs, const Weights (&w)[1]) {
    return dot<Storage::kInt4>(acc, elements<Storage::kInt4>(pairs, 0, 0), w[0]);
  }

  static V low8(V a, V b) { return _mm512_unpacklo_epi8(a, b); }
  static V high8(V a, V b) { return _mm512_unpackhi_epi8(a, b); }
  static V low16(V a, V b) { return _mm512_unpacklo_epi16(a, b); }
  static V high16(V a, V b) { return _mm512_unpackhi_epi16(a, b); }

  // to[k] += the sum of the k-th vector's lanes.
  static void add_sums(V a, V b, V c, V d, int64_t* to) {
    const V ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    const V cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    const V abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    add_four(_mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1)),
             to);
  }
  static int32_t sum(V acc) { return _mm512_reduce_add_epi32(acc); }
};

#elif defined(__AVX2__)

struct Bytes {
  using V = __m256i;
  static constexpr int kSize = 32;
  static constexpr int kForwardOutputs = 3, kBackwardOutputs = 2;

  static V zero() { return _mm256_setzero_si256(); }
  static V splat(int8_t value) { return _mm256_set1_epi8(value); }
  static V splat4(const int8_t* four) {
    int32_t lane;
    std::memcpy(&lane, four, 4);
    return _mm256_set1_epi32(lane);
  }
  static V load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
  static void store(void* to, V v) { _mm256_storeu_si256(static_cast<__m256i*>(to), v); }

  template <Storage storage>
  static V elements(const uint8_t* row, int64_t column, int part) {
    if constexpr (storage == Storage::kInt4) {
      const V pairs = load(row + (column >> 1));
      return part == 0 ? _mm256_and_si256(pairs, splat(15))
                       : _mm256_and_si256(_mm256_srli_epi16(pairs, 4), splat(15));
    } else {
      return load(row + column + part * kSize);
    }
  }

  template <Storage storage>
  static constexpr int kOffset = storage == Storage::kInt4 ? 8 : 0;

  // The instruction multiplies unsigned by signed bytes and adds pairs in 16 bits, where two
  // products of 127 by 127 have room and products of 255 have not: signed data gives its sign
  // to the other factor's magnitude.
  struct Weights {
    V signed_bytes, magnitudes;
  };
  template <Storage storage>
  static Weights weights(V w) {
    return {w, storage == Storage::kInt8 ? _mm256_abs_epi8(w) : w};
  }
  template <Storage storage>
  static V dot(V acc, V x, const Weights& w) {
    const V pairs = storage == Storage::kInt8
                        ? _mm256_maddubs_epi16(w.magnitudes, _mm256_sign_epi8(x, w.signed_bytes))
                        : _mm256_maddubs_epi16(x, w.signed_bytes);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }

  static V add32(V a, V b) { return _mm256_add_epi32(a, b); }
  static V splat32(int32_t value) { return _mm256_set1_epi32(value); }

  // A whole unit of kInt4: two products of 15 by 128 fit in 16 bits twice.
  static V nibbles_dot(V acc, const uint8_t* pairs, const Weights (&w)[2]) {
    const V lower = elements<Storage::kInt4>(pairs, 0, 0),
            upper = elements<Storage::kInt4>(pairs, 0, 1);
    const V sums = _mm256_add_epi16(_mm256_maddubs_epi16(lower, w[0].signed_bytes),
                                    _mm256_maddubs_epi16(upper, w[1].signed_bytes));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
  }

  static V low8(V a, V b) { return _mm256_unpacklo_epi8(a, b); }
  static V high8(V a, V b) { return _mm256_unpackhi_epi8(a, b); }
  static V low16(V a, V b) { return _mm256_unpacklo_epi16(a, b); }
  static V high16(V a, V b) { return _mm256_unpackhi_epi16(a, b); }

  static void add_sums(V a, V b, V c, V d, int64_t* to) {
    const V ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    const V cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    add_four(_mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd)), to);
  }
  static int32_t sum(V acc) {
    const __m128i half =
        _mm_add_epi32(_mm256_castsi256_si128(acc), _mm256_extracti128_si256(acc, 1));
    const __m128i pair = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32(pair, 0xB1)));
  }
};

#else

// 16 bytes, by loops; the lanes are those of the vectors above.
struct Bytes {
  struct V {
    int8_t b[16];
  };
  static constexpr int kSize = 16;
  static constexpr int kForwardOutputs = 3, kBackwardOutputs = 2;
  static V zero() { return {}; }
  static V splat(int8_t value) {
    V v;
    std::memset(v.b, value, 16);
    return v;
  }
  static V splat4(const int8_t* four) {
    V v;
    for (int i = 0; i < 16; ++i) v.b[i] = four[i & 3];
    return v;
  }
  static V load(const void* from) {
    V v;
    std::memcpy(v.b, from, 16);
    return v;
  }
  static void store(void* to, V v) { std::memcpy(to, v.b, 16); }

  template <Storage storage>
  static V elements(const uint8_t* row, int64_t column, int part) {
    if constexpr (storage != Storage::kInt4) return load(row + column + part * kSize);
    V v;
    const uint8_t* pairs = row + column / 2 + part % 2 * kSize;
    const int shift = part < 2 ? 0 : 4;
    for (int i = 0; i < 16; ++i) v.b[i] = static_cast<int8_t>(pairs[i] >> shift & 15);
    return v;
  }

  template <Storage storage>
  static constexpr int kOffset = storage == Storage::kInt4 ? 8 : 0;

  struct Weights {
    V signed_bytes;
  };
  template <Storage storage>
  static Weights weights(V w) {
    return {w};
  }
  template <Storage storage>
  static V dot(V acc, V x, const Weights& w) {
    int32_t lanes[4];
    std::memcpy(lanes, acc.b, 16);
    for (int i = 0; i < 16; ++i) {
      lanes[i / 4] += static_cast<int16_t>(x.b[i]) * static_cast<int16_t>(w.signed_bytes.b[i]);
    }
    std::memcpy(acc.b, lanes, 16);
    return acc;
  }

  static V splat32(int32_t value) {
    const int32_t lanes[4] = {value, value, value, value};
    return load(lanes);
  }
  static V add32(V a, V b) {
    int32_t lanes[2][4];
    std::memcpy(lanes[0], a.b, 16);
    std::memcpy(lanes[1], b.b, 16);
    for (int i = 0; i < 4; ++i) lanes[0][i] += lanes[1][i];
    std::memcpy(a.b, lanes[0], 16);
    return a;
  }

  // A whole unit of kInt4.
  static V nibbles_dot(V acc, const uint8_t* pairs, const Weights (&w)[4]) {
    for (int part = 0; part < 4; ++part) {
      acc = dot<Storage::kInt4>(acc, elements<Storage::kInt4>(pairs, 0, part), w[part]);
    }
    return acc;
  }

  template <int kWidth, int kFrom>
  static V interleave(V a, V b) {
    V v;
    for (int i = 0; i < 8; i += kWidth) {
      std::memcpy(v.b + 2 * i, a.b + kFrom + i, kWidth);
      std::memcpy(v.b + 2 * i + kWidth, b.b + kFrom + i, kWidth);
    }
    return v;
  }
  static V low8(V a, V b) { return interleave<1, 0>(a, b); }
  static V high8(V a, V b) { return interleave<1, 8>(a, b); }
  static V low16(V a, V b) { return interleave<2, 0>(a, b); }
  static V high16(V a, V b) { return interleave<2, 8>(a, b); }

  static void add_sums(V a, V b, V c, V d, int64_t* to) {
    const V vectors[] = {a, b, c, d};
    for (int k = 0; k < 4; ++k) to[k] += sum(vectors[k]);
  }
  static int32_t sum(V acc) {
    int32_t lanes[4];
    std::memcpy(lanes, acc.b, 16);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
  }
};

#endif

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_INT8_VECTORS_H_
