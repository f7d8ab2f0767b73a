// What is known of the samples besides their features, in the order in which batches take them.
#ifndef QUANT_OPS_LINEAR_TARGETS_AND_WEIGHTS_H_
#define QUANT_OPS_LINEAR_TARGETS_AND_WEIGHTS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "huge_page_arrays.h"
#include "kernel_tables.h"
#include "minibatch_order.h"
#include "problem.h"

namespace quant_ops::linear {

struct Samples {
  Array<int32_t> places;  // of the caller's rows in that order
  Array<double> targets, weights;

  Samples(const Problem& problem, const RowValues& values)
      : places(problem.rows, Unwritten{}),
        targets(problem.rows, Unwritten{}),
        weights(problem.rows, Unwritten{}) {
    const Array<int32_t> order = row_order(problem.seed, problem.rows);
    const double equal = 1.0 / static_cast<double>(problem.rows);
    for (int64_t i = 0; i < problem.rows; ++i) {
      places[order[i]] = static_cast<int32_t>(i);
      targets[i] = values.targets[order[i]];
      weights[i] = values.weights == nullptr ? equal : values.weights[order[i]];
    }
  }

  int64_t rows() const { return targets.size(); }
  // As a multiple of the mean weight, of the i-th in the order of batches.
  double relative_weight(int64_t i) const { return static_cast<double>(rows()) * weights[i]; }

  // [o * rows + i]: what SGD subtracts from the predictions.
  template <class Real>
  void write_targets(const Problem& problem, Real* out) const {
    for (int o = 0; o < problem.outputs; ++o) {
      for (int64_t i = 0; i < problem.rows; ++i) {
        const bool is_class = targets[i] == o;
        const double target = problem.loss == Loss::kSoftmax ? (is_class ? 1.0 : 0.0) : targets[i];
        out[o * problem.rows + i] = static_cast<Real>(target);
      }
    }
  }
};

// The batch's first row and its size.
struct Batch {
  int64_t first;
  int count;

  Batch(const Problem& problem, uint64_t step) {
    first = batch_of_step(problem.seed, step, problem.batches()) * problem.batch_size;
    count = static_cast<int>(std::min(problem.batch_size, problem.rows - first));
  }
};

// How many threads a step keeps busy: waiting for each other costs as much as some thousand
// products, and columns are shared out by units.
inline int useful_threads(const Problem& problem, int threads) {
  const int64_t units = (problem.columns + kColumnUnit - 1) / kColumnUnit;
  const int64_t products = problem.batch_size * units * kColumnUnit * problem.outputs;
  const int64_t useful = std::min(units, std::max<int64_t>(1, products / 8192));
  return static_cast<int>(std::min<int64_t>(threads, useful));
}

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_TARGETS_AND_WEIGHTS_H_
