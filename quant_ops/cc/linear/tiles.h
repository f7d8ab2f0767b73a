// The user's features, tile by tile, as float or double: where they lie, if they lie so, else
// converted into a thread's own memory.
#ifndef QUANT_OPS_LINEAR_TILES_H_
#define QUANT_OPS_LINEAR_TILES_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "data_kernels.h"
#include "huge_page_arrays.h"
#include "team.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace quant_ops::linear {

template <class Real>
struct Tile {
  const Real* data;
  int64_t stride;  // in Real
  int64_t first;   // row
  int count;

  const Real* row(int i) const { return data + i * stride; }
};

// Memory of a mapped file that will not be read again soon: whole pages of [begin, end).
inline void give_back(const char* begin, const char* end) {
#if defined(__linux__)
  constexpr uintptr_t kPage = 4096;
  const uintptr_t first = (reinterpret_cast<uintptr_t>(begin) + kPage - 1) / kPage * kPage;
  const uintptr_t last = reinterpret_cast<uintptr_t>(end) / kPage * kPage;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
#else
  static_cast<void>(begin), static_cast<void>(end);
#endif
}

// Rows in parts, which do not depend on the number of threads: so neither does what is added up.
class Parts {
 public:
  Parts(const Features& features, int64_t rows)
      : rows_(rows),
        tile_rows_(static_cast<int>(clamp(kTile / features.columns, kLeast, kMost))),
        part_rows_(clamp(kPart / features.columns, 4 * kMost, 64 * kMost)) {}

  int64_t count() const { return (rows_ + part_rows_ - 1) / part_rows_; }

  // Every thread of the team makes its own work, and calls it with each tile of its parts in the
  // order of rows, the part's number, and whether the tile is the part's last.
  template <class Real, class Make>
  void run(const Features& features, Team& team, const Make& make) const {
    const bool in_place =
        features.type == (sizeof(Real) == 4 ? ElementType::kFloat : ElementType::kDouble) &&
        features.column_stride == static_cast<int64_t>(sizeof(Real)) &&
        features.row_stride % static_cast<int64_t>(sizeof(Real)) == 0;
    std::atomic<int64_t> next{0};
    team.run(static_cast<int>(std::min<int64_t>(team.size(), count())), [&](int) {
      auto work = make();
      Array<Real> scratch(in_place ? 0 : tile_rows_ * features.columns);
      for (int64_t part; (part = next++) < count();) {
        const int64_t begin = part * part_rows_, end = std::min(rows_, begin + part_rows_);
        for (int64_t first = begin; first < end; first += tile_rows_) {
          const int rows = static_cast<int>(std::min<int64_t>(tile_rows_, end - first));
          Tile<Real> tile{scratch.data(), features.columns, first, rows};
          if (in_place) {
            tile.data = reinterpret_cast<const Real*>(at(features, first));
            tile.stride = features.row_stride / static_cast<int64_t>(sizeof(Real));
          } else {
            data_kernels_from<Real>().read(features, first, rows, scratch.data());
          }
          work(tile, part, first + rows >= end);
        }
        if (features.drops_pages) give_back(at(features, begin), at(features, end));
      }
    });
  }

 private:
  // Elements, and rows. What is kept for each column of a part is small beside the part.
  static constexpr int64_t kTile = 1 << 15, kPart = 1 << 20, kLeast = 4, kMost = 64;

  static int64_t clamp(int64_t rows, int64_t least, int64_t most) {
    return std::clamp(rows / kLeast * kLeast, least, most);
  }
  static const char* at(const Features& features, int64_t row) {
    return static_cast<const char*>(features.data) + row * features.row_stride;
  }

  const int64_t rows_;
  const int tile_rows_;
  const int64_t part_rows_;
};

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_TILES_H_
