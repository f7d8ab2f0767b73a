// Vectors of 16-bit integers, and the product that the wide loops are made of:
//   dot(acc, x, w): acc_k += sum of x_b w_b over the two halves b of the 32-bit lane k.
#ifndef QUANT_OPS_LINEAR_INT16_VECTORS_H_
#define QUANT_OPS_LINEAR_INT16_VECTORS_H_

#include <cstdint>
#include <cstring>

#include "../core/per_instruction_set.h"
#include "kernel_tables.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace quant_ops::QUANT_OPS_ISA {

#if defined(__AVX512VNNI__)

struct Words {
  using V = __m512i;
  static constexpr int kSize = 32;

  static V zero() { return _mm512_setzero_si512(); }
  static V splat2(int16_t first, int16_t second) {
    return _mm512_set1_epi32(
        static_cast<int32_t>(static_cast<uint16_t>(first) | static_cast<uint32_t>(second) << 16));
  }
  static V load(const int16_t* from) { return _mm512_loadu_si512(from); }
  static V widen(const int8_t* from) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static void store(void* to, V v) { _mm512_storeu_si512(to, v); }
  static V low_byte(V v) { return _mm512_and_si512(v, _mm512_set1_epi16(255)); }
  static V high_byte(V v) { return _mm512_srai_epi16(v, 8); }
  // As in int8_vectors.h.
  static V dot(V acc, V x, V w) {
    asm("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w));
    return acc;
  }
  static V low16(V a, V b) { return _mm512_unpacklo_epi16(a, b); }
  static V high16(V a, V b) { return _mm512_unpackhi_epi16(a, b); }
  static int64_t sum(V acc) {
    const V wide = _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(acc)),
                                    _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(acc, 1)));
    return _mm512_reduce_add_epi64(wide);
  }
};

#elif defined(__AVX2__)

struct Words {
  using V = __m256i;
  static constexpr int kSize = 16;

  static V zero() { return _mm256_setzero_si256(); }
  static V splat2(int16_t first, int16_t second) {
    return _mm256_set1_epi32(
        static_cast<int32_t>(static_cast<uint16_t>(first) | static_cast<uint32_t>(second) << 16));
  }
  static V load(const int16_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static V widen(const int8_t* from) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static void store(void* to, V v) { _mm256_storeu_si256(static_cast<__m256i*>(to), v); }
  static V low_byte(V v) { return _mm256_and_si256(v, _mm256_set1_epi16(255)); }
  static V high_byte(V v) { return _mm256_srai_epi16(v, 8); }
  static V dot(V acc, V x, V w) { return _mm256_add_epi32(acc, _mm256_madd_epi16(x, w)); }
  static V low16(V a, V b) { return _mm256_unpacklo_epi16(a, b); }
  static V high16(V a, V b) { return _mm256_unpackhi_epi16(a, b); }
  static int64_t sum(V acc) {
    const __m256i wide = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(acc)),
                                          _mm256_cvtepi32_epi64(_mm256_extracti128_si256(acc, 1)));
    const __m128i half =
        _mm_add_epi64(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    return _mm_extract_epi64(half, 0) + _mm_extract_epi64(half, 1);
  }
};

#else

struct Words {
  struct V {
    int16_t w[8];
  };
  static constexpr int kSize = 8;

  static V zero() { return {}; }
  static V splat2(int16_t first, int16_t second) {
    V v;
    for (int i = 0; i < 8; ++i) v.w[i] = i & 1 ? second : first;
    return v;
  }
  static V load(const int16_t* from) {
    V v;
    std::memcpy(v.w, from, 16);
    return v;
  }
  static V widen(const int8_t* from) {
    V v;
    for (int i = 0; i < 8; ++i) v.w[i] = from[i];
    return v;
  }
  static void store(void* to, V v) { std::memcpy(to, v.w, 16); }
  static V low_byte(V v) {
    for (int16_t& w : v.w) w &= 255;
    return v;
  }
  static V high_byte(V v) {
    for (int16_t& w : v.w) w = static_cast<int16_t>(w >> 8);
    return v;
  }
  static V dot(V acc, V x, V w) {
    int32_t lanes[4];
    std::memcpy(lanes, acc.w, 16);
    for (int i = 0; i < 8; ++i) lanes[i / 2] += int32_t{x.w[i]} * int32_t{w.w[i]};
    std::memcpy(acc.w, lanes, 16);
    return acc;
  }
  template <int kFrom>
  static V interleave(V a, V b) {
    V v;
    for (int i = 0; i < 4; ++i) {
      v.w[2 * i] = a.w[kFrom + i];
      v.w[2 * i + 1] = b.w[kFrom + i];
    }
    return v;
  }
  static V low16(V a, V b) { return interleave<0>(a, b); }
  static V high16(V a, V b) { return interleave<4>(a, b); }
  static int64_t sum(V acc) {
    int32_t lanes[4];
    std::memcpy(lanes, acc.w, 16);
    return int64_t{lanes[0]} + lanes[1] + lanes[2] + lanes[3];
  }
};

#endif

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_LINEAR_INT16_VECTORS_H_
