// A linear model, as the solvers see it.
//
//   f(w) = sum_i weight_i loss(target_i, x_i . w) + 1/2 sum_j l2_j |w_j|^2,   sum_i weight_i = 1
//
// w has one row per output: one for least squares and logistic regression, one per class for
// softmax.
#ifndef QUANT_OPS_LINEAR_PROBLEM_H_
#define QUANT_OPS_LINEAR_PROBLEM_H_

#include <cstdint>
#include <vector>

namespace quant_ops::linear {

enum class Loss {
  kSquared,   // 1/2 (a - target)^2
  kLogistic,  // log(1 + exp(a)) - target a, target in [0, 1]
  kSoftmax,   // log(sum_c exp(a_c)) - a_target, target a class
};

// What is minimised besides the data term, and how it is sampled.
struct Problem {
  Loss loss = Loss::kSquared;
  int64_t rows = 0;     // samples
  int64_t columns = 0;  // features; the intercept is one
  int outputs = 1;
  int64_t batch_size = 1;
  uint64_t seed = 0;
  std::vector<double> l2;  // per column

  int64_t batches() const { return (rows + batch_size - 1) / batch_size; }
};

// Per row, in the caller's memory.
struct RowValues {
  const double* targets = nullptr;
  const double* weights = nullptr;  // of sum 1; null where all are equal
};

struct EpochOptions {
  double learning_rate = 0;
  int64_t steps = 0;
  int threads = 1;
  double mu = 0;           // HALP's scale parameter; 0 chooses the scale from what was seen
  double fixed_scale = 0;  // step of the weights' grid for the low-precision baselines
};

// Measured at the iterate that an outer epoch ends with.
struct Measurement {
  double loss = 0;
  double gradient_norm = 0;
  double inner_seconds = 0;
  double gradient_seconds = 0;  // the pass over all the data
  double scale = 0;             // of the epoch's offsets
  double saturated = 0;         // the share of offsets at the ends of their range
};

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_PROBLEM_H_
