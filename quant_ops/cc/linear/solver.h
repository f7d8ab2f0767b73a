// A solver holds a problem, its own copy of the data and an iterate, and runs outer epochs.
#ifndef QUANT_OPS_LINEAR_SOLVER_H_
#define QUANT_OPS_LINEAR_SOLVER_H_

#include <memory>
#include <vector>

#include "column_survey.h"
#include "features.h"
#include "problem.h"

namespace quant_ops::linear {

enum class Algorithm { kHalp, kLowPrecisionSvrg, kLowPrecisionSgd, kSvrg, kSgd };

struct SolverOptions {
  Algorithm algorithm = Algorithm::kHalp;
  int data_bits = 8;              // 4, 8, 16; for the first three algorithms
  int word_bits = 8;              // 8, 16: of the offsets or, in low precision, of the weights
  double weight_range = 1;        // in low precision: weights are in [-range, range)
  bool double_precision = false;  // for the last two
  int threads = 1;                // while the data is prepared
};

class Solver {
 public:
  virtual ~Solver() = default;

  // T inner steps from the centre, then the gradient over all the data at the new one. Throws
  // std::bad_alloc or std::system_error where memory or threads cannot be had: before anything has
  // changed.
  virtual Measurement epoch(const EpochOptions& options) = 0;
  // At the current centre.
  virtual Measurement measurement() const = 0;
  // [outputs, columns], for the columns as scaled by Features::column_scales; the intercept is
  // last.
  virtual std::vector<double> weights() const = 0;

  // Of the samples' squared norms times their weights, the mean of which is 1.
  virtual double largest_row() const = 0;
  // The largest eigenvalue of 1/m sum_i s_i x_i x_i^T over m consecutive rows from `first` on, in
  // the order of batches, s_i the weights of mean 1: an estimate from below by power iteration.
  virtual double largest_eigenvalue(int64_t first, int64_t m) = 0;
};

// What a solver is made from; nothing of it is needed afterwards.
struct Data {
  Features features;
  RowValues rows;
  const ColumnSurvey* survey = nullptr;  // null: not made yet
};

// `initial` is an iterate like weights(), or empty for zero. Throws std::invalid_argument where the
// features are not finite, std::bad_alloc or std::system_error where memory or threads cannot be
// had.
std::unique_ptr<Solver> make_solver(const Problem& problem, const Data& data,
                                    const SolverOptions& options,
                                    const std::vector<double>& initial);

// Which instruction set the loops use.
const char* linear_instruction_set();

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_SOLVER_H_
