// Matrix products whose running sum is rounded to a grid after every few terms:
//
//   t = s_j + a_i b_i + a_(i+1) b_(i+1) + ..   the terms i of block j, one by one, in double
//   s_(j+1) = Q(t), s_0 = 0, and the product is the last s, rounded once to float
//
// A product of two floats is exact in double, so a fused multiply-add and two instructions give the
// same bits: neither the instruction set nor a compiler shows. Each output is computed by itself, so
// tiles and threads do not show either.
#ifndef QUANT_OPS_CORE_MATMUL_TILE_H_
#define QUANT_OPS_CORE_MATMUL_TILE_H_

#include <algorithm>
#include <cstdint>

#include "counter_rng.h"
#include "float_types.h"
#include "per_instruction_set.h"
#include "quantize.h"

namespace quant_ops::QUANT_OPS_ISA {

// So many that the sums of a tile and the terms of a and b stay in the first-level cache.
constexpr int kTileTerms = 32;
// Sums stay in registers for a few terms, and a few rows share what is loaded of b.
constexpr int kUnrolled = 4;
constexpr int kRowsAtOnce = 4;

inline double multiply_add(double a, double b, double sum) {
#if defined(__FMA__)
  return __builtin_fma(a, b, sum);
#else
  return a * b + sum;
#endif
}

// A tile of the result, and as many terms of it as there is room for.
class Tile {
 public:
  Tile(const Product& product, int64_t tile) : product_(product) {
    const int64_t row_tiles = product.row_tiles(), column_tiles = product.column_tiles();
    batch_ = tile / (row_tiles * column_tiles);
    first_row_ = tile % row_tiles * kTileRows;
    first_column_ = tile / row_tiles % column_tiles * kTileColumns;
    rows_ = static_cast<int>(std::min<int64_t>(kTileRows, product.rows - first_row_));
    columns_ = static_cast<int>(std::min<int64_t>(kTileColumns, product.columns - first_column_));
    width_ = (columns_ + 15) / 16 * 16;  // whole vectors: what is beyond is not stored
    std::fill_n(sums_[0], kTileRows * kTileColumns, 0.0);
    std::fill(a_[0] + rows_ * kTileTerms, a_[0] + kTileRows * kTileTerms, 0.0);
  }

  int rows() const { return rows_; }
  int columns() const { return columns_; }
  int width() const { return width_; }
  double* sums(int row) { return sums_[row]; }

  // The flat index of a row's first output.
  int64_t output(int row) const {
    return (batch_ * product_.rows + first_row_ + row) * product_.columns + first_column_;
  }

  // Factors of the term that is `term` behind the first loaded one.
  double a(int row, int term) const { return a_[row][term]; }
  const double* b(int term) const { return b_[term]; }

  // Terms [first, first + count); b is multiplied with a power of two.
  void load(int64_t first, int count, double scale) {
    const Product& p = product_;
    for (int row = 0; row < rows_; ++row) {
      const float* from = p.a + (batch_ * p.rows + first_row_ + row) * p.terms + first;
      for (int i = 0; i < count; ++i) a_[row][i] = static_cast<double>(from[i]);
    }
    for (int i = 0; i < count; ++i) {
      const float* from = p.b + (batch_ * p.terms + first + i) * p.columns + first_column_;
      for (int n = 0; n < columns_; ++n) b_[i][n] = static_cast<double>(from[n]) * scale;
      std::fill(b_[i] + columns_, b_[i] + width_, 0.0);
    }
  }

  // Adds loaded terms [begin, end) to all sums.
  void add(int begin, int end) {
    for (; end - begin >= kUnrolled; begin += kUnrolled) add<kUnrolled>(begin);
    switch (end - begin) {
      case 3: return add<3>(begin);
      case 2: return add<2>(begin);
      case 1: return add<1>(begin);
    }
  }

 private:
  // The last rows may be beyond the result.
  template <int count>
  void add(int first) {
    const int width = width_;
    for (int row = 0; row < rows_; row += kRowsAtOnce) {
      double factors[kRowsAtOnce][count];
      for (int r = 0; r < kRowsAtOnce; ++r) {
        for (int i = 0; i < count; ++i) factors[r][i] = a_[row + r][first + i];
      }
      const double* b = b_[first];
      double* sums = sums_[row];
      QUANT_OPS_VECTOR_LOOP
      for (int n = 0; n < width; ++n) {
        double sum[kRowsAtOnce];
        for (int r = 0; r < kRowsAtOnce; ++r) sum[r] = sums[r * kTileColumns + n];
        for (int i = 0; i < count; ++i) {
          const double factor = b[i * kTileColumns + n];
          for (int r = 0; r < kRowsAtOnce; ++r) sum[r] = multiply_add(factors[r][i], factor, sum[r]);
        }
        for (int r = 0; r < kRowsAtOnce; ++r) sums[r * kTileColumns + n] = sum[r];
      }
    }
  }

  const Product product_;
  int64_t batch_, first_row_, first_column_;
  int rows_, columns_, width_;
  alignas(64) double sums_[kTileRows][kTileColumns];
  alignas(64) double a_[kTileRows][kTileTerms];
  alignas(64) double b_[kTileTerms][kTileColumns];
};

// Adds a loaded term and rounds: a block's last term.
template <Rounding rounding, class Grid>
inline void add_and_round(const Grid& one_grid, const Keys& block_keys, int term, Tile* tile) {
  const Grid grid = one_grid;
  const Keys keys = block_keys;
  const int width = tile->width();
  const double* b = tile->b(term);
  for (int row = 0; row < tile->rows(); ++row) {
    const uint32_t index = static_cast<uint32_t>(tile->output(row));
    const double factor = tile->a(row, term);
    double* sums = tile->sums(row);
    QUANT_OPS_VECTOR_LOOP
    for (int n = 0; n < width; ++n) {
      int32_t bits31 = 0;
      if constexpr (rounding == Rounding::kStochastic) {
        bits31 = static_cast<int32_t>(random_bits(keys, index + static_cast<uint32_t>(n)) >> 1);
      }
      sums[n] = grid.template round<rounding>(multiply_add(factor, b[n], sums[n]), bits31);
    }
  }
}

// Weyl's sequence: other seeds for other blocks, and for the blocks of other small seeds.
inline Keys block_keys(const Stream& stream, int64_t block) {
  const uint64_t seed = stream.seed + static_cast<uint64_t>(block) * 0x9E3779B97F4A7C15u;
  return make_keys({seed, stream.counter}, 0);
}

template <Rounding rounding, class Grid>
inline void compute_tile(const Grid& grid, const Stream& stream, const Product& product,
                         int64_t index) {
  Tile tile(product, index);
  int64_t block = 0, block_end = std::min(product.every, product.terms);
  for (int64_t first = 0; first < product.terms; first += kTileTerms) {
    const int count = static_cast<int>(std::min<int64_t>(kTileTerms, product.terms - first));
    tile.load(first, count, grid.scale());
    for (int begin = 0; begin < count;) {
      const bool rounds = block_end <= first + count;
      const int end = rounds ? static_cast<int>(block_end - first) : count;
      tile.add(begin, end - (rounds ? 1 : 0));
      if (rounds) {
        add_and_round<rounding>(grid, block_keys(stream, block), end - 1, &tile);
        ++block;
        block_end += std::min(product.every, product.terms - block_end);
      }
      begin = end;
    }
  }
  for (int row = 0; row < tile.rows(); ++row) {
    for (int n = 0; n < tile.columns(); ++n) {
      const float result = grid.result(tile.sums(row)[n]);
      product.result[tile.output(row) + n] =
          is_nan(result) ? bit_cast<float>(Carrier<float>::kNan) : result;
    }
  }
}

}  // namespace quant_ops::QUANT_OPS_ISA

#endif  // QUANT_OPS_CORE_MATMUL_TILE_H_
