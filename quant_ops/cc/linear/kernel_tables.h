// The loops over the data, compiled once per instruction set; all of them give the same integers.
#ifndef QUANT_OPS_LINEAR_KERNEL_TABLES_H_
#define QUANT_OPS_LINEAR_KERNEL_TABLES_H_

#include <cstdint>
#include <type_traits>

#include "../core/quantize.h"
#include "problem.h"

namespace quant_ops::linear {

// How an element of the data is stored.
enum class Storage {
  kInt4,          // + 8, two to a byte: 32 bytes hold 64 columns, the first 32 in the lower halves
  kInt8,          // [-127, 127]
  kUnsignedInt7,  // [0, 127]: data without negative numbers needs fewer instructions
  kInt16,         // [-32767, 32767]; wide kernels only
};

constexpr int stored_bits(Storage storage) {
  return storage == Storage::kInt4 ? 4 : storage == Storage::kInt16 ? 16 : 8;
}

// The loops take columns 64 at a time. They may read that far behind a row's end, where offsets are
// zero and sums are not used.
constexpr int kColumnUnit = 64;

// What so many rows of that many columns take.
template <Storage storage, int kRows>
constexpr int kUnitBytes = kRows * kColumnUnit * stored_bits(storage) / 8;

// The lines of the rows that will be asked for next, in the order of memory: what the hardware
// itself fetches ahead goes by that order.
class Ahead {
 public:
  // The bytes [begin, end) of each row.
  Ahead(const void* first, int64_t stride, int64_t rows, int64_t begin, int64_t end)
      : at_(static_cast<const char*>(first) + begin),
        rest_of_row_(at_ + (end - begin)),
        gap_(stride - (end - begin)),
        length_(end - begin),
        rows_(rows) {
    if (gap_ < kLine) {  // one long row
      rest_of_row_ += (rows - 1) * stride;
      rows_ = 1;
    }
  }

  // While some rows are worked on, those ahead come: kBytes of the former are worth half as many of
  // the latter during the forward loops, and again during the backward loops, so that memory is
  // busy all the time.
  template <int kBytes>
  void fetch_half_of() {
    constexpr int kLines = kBytes / (2 * static_cast<int>(kLine));
    fetch < kLines<1 ? 1 : kLines>();
  }

  template <int kLines>
  void fetch() {
    for (int i = 0; i < kLines; ++i) {
      if (at_ >= rest_of_row_ && !next_row()) return;
      __builtin_prefetch(at_, 0, 2);
      at_ += kLine;
    }
  }

 private:
  static constexpr int64_t kLine = 64;

  bool next_row() {
    if (rows_ <= 1) return false;
    --rows_;
    at_ = rest_of_row_ + gap_;
    rest_of_row_ = at_ + length_;
    return true;
  }

  const char* at_;
  const char* rest_of_row_;
  int64_t gap_, length_, rows_;
};

// Consecutive rows, and those that will be asked for next (nullptr: unknown).
template <class T>
struct Rows {
  const T* data;
  int64_t stride;  // in T
  int count;
  Ahead* ahead;
};
using IntegerRows = Rows<uint8_t>;

// Integers per output and column (offsets), or per output and row (coefficients).
template <class Word>
struct Digits {
  const Word* values;
  int64_t stride;  // from one output to the next
  int bits = 8;    // that they need: int16_t often holds 8, which takes half the time
};

// From activations to coefficients. With `centered`, the dots are changes of the activations, and a
// coefficient rounds (p(a + change) - p(a)) * unit; else they are activations, and it rounds
// (p(activation) - predictions) * unit.
struct CoefficientSpec {
  Loss loss;
  bool centered;
  int outputs;
  float scale;    // of the dots
  int32_t limit;  // of the coefficients
  Stream stream;
};

// From sums to offsets: see inner_step.h.
struct UpdateSpec {
  bool decays;    // whether any `keep` is below one
  int shift;      // of the sums, to the left
  int32_t limit;  // offsets are in [-limit - 1, limit]
  Stream stream;
};

// What is known of up to kRowBlock rows, per output [o * stride + r] where it says so.
constexpr int kRowBlock = 64;
struct RowState {
  double* activations;  // per output: x . w at the centre
  double* references;   // per output: what the gradient holds of weight * derivative
  float* predictions;   // per output
  const double* targets;
  const double* weights;
  int64_t stride;
};
struct SnapshotSpec {
  Loss loss;
  int outputs;
  double scale;    // of the dots
  double quantum;  // of the references' steps
  int32_t limit;   // of their number
};
struct SnapshotSums {
  double loss = 0;
  double rest = 0;     // squares of derivative - reference
  double largest = 0;  // change that was asked for
};

// Products of data with Word, summed in Sum: int8_t in int32_t, or int16_t in double, which holds
// integers of 53 bits and is what vector instructions convert 32-bit integers to.
template <class Word, class Sum>
struct IntegerKernels {
  // dots[o * dots_stride + r] += sum_j x_rj z_oj over columns [begin, end)
  void (*forward)(Storage storage, const IntegerRows& rows, const Digits<Word>& z, int outputs,
                  int64_t begin, int64_t end, int64_t* dots, int64_t dots_stride);
  // sums[o * sums_stride + j] = sum_r gamma_or x_rj for columns [begin, end). There is room for a
  // multiple of four coefficients per output; those past the last row are 0.
  void (*backward)(Storage storage, const IntegerRows& rows, const Digits<Word>& gamma, int outputs,
                   int64_t begin, int64_t end, Sum* sums, int64_t sums_stride);
  // Coefficients [o * stride + r], `scratch` with room for outputs * kRowBlock; returns the bits of
  // the largest magnitude before rounding.
  uint32_t (*coefficients)(const CoefficientSpec& spec, const int64_t* dots, int64_t stride,
                           int rows, const float* predictions, int64_t predictions_stride,
                           const float* units, float* scratch, Word* gamma);
  SnapshotSums (*snapshot)(const SnapshotSpec& spec, const int64_t* dots, int64_t dots_stride,
                           int rows, const RowState& state, double* scratch, Word* gamma,
                           int64_t gamma_stride);
  // Offsets [begin, end); `index` (of offset 0, for its random bits) and `begin` are multiples
  // of 64.
  void (*update)(const UpdateSpec& spec, const Sum* sums, const Sum* drift, const Sum* keep,
                 int64_t index, int64_t begin, int64_t end, Word* z);
};
using NarrowKernels = IntegerKernels<int8_t, int32_t>;
using WideKernels = IntegerKernels<int16_t, double>;

// No more rows than this in a call: their sums fit.
constexpr int kMostRows = 32768;

template <class Real>
struct FloatKernels {
  // dots[o * dots_stride + r] += sum_j x_rj w_oj over columns [begin, end)
  void (*forward)(const Rows<Real>& rows, const Real* w, int64_t w_stride, int outputs,
                  int64_t begin, int64_t end, Real* dots, int64_t dots_stride);
  // sums[o * sums_stride + j] = sum_r beta_or x_rj for columns [begin, end)
  void (*backward)(const Rows<Real>& rows, const Real* beta, int64_t beta_stride, int outputs,
                   int64_t begin, int64_t end, Real* sums, int64_t sums_stride);
  // w = w keep - sum - drift for columns [begin, end)
  void (*update)(const Real* sums, const Real* drift, const Real* keep, int64_t begin, int64_t end,
                 Real* w);
  // Activations [o * stride + r] of up to kRowBlock rows become predictions.
  void (*predict)(Loss loss, int outputs, int rows, Real* activations, int64_t stride);
  // The losses' weighted sum; activations become predictions.
  double (*loss)(Loss loss, int outputs, int rows, double* activations, int64_t stride,
                 const double* targets, const double* weights);
};

// The tables of one instruction set.
struct Kernels {
  const char* instruction_set;
  NarrowKernels narrow;
  WideKernels wide;
};
// Those of the floating-point solver, which fuse multiplications and additions where the machine
// can.
struct FloatingKernels {
  FloatKernels<float> single_precision;
  FloatKernels<double> double_precision;
};

// Of the best instruction set that the machine has, up to the one named by QUANT_OPS_ISA.
const Kernels& kernels();
const FloatingKernels& floating_kernels();

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_KERNEL_TABLES_H_
