// HALP for linear models, and the low-precision baselines: integer inner loops.
#ifndef QUANT_OPS_LINEAR_INTEGER_SOLVER_H_
#define QUANT_OPS_LINEAR_INTEGER_SOLVER_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "huge_page_arrays.h"
#include "kernel_tables.h"
#include "offset_scale.h"
#include "packing.h"
#include "solver.h"
#include "targets_and_weights.h"
#include "team.h"

namespace quant_ops::linear {

// Rows at a time from which sampled_change tells what a pass over the data will find.
constexpr int64_t kSampledRows = 32;

// The full gradient, kept up to date rather than computed anew. It is sum_i r_i x_i, where each
// reference r_i follows weight_i * derivative_i in steps of a quantum that shrinks with the
// changes: bit centering of the derivatives. The steps are small integers, so that a pass over the
// data is integer arithmetic, and what it leaves out becomes part of the next epoch's change.
//
// Word: int8_t, or int16_t if data or words have 16 bits; Sum: int32_t, double.
template <class Word, class Sum>
class IntegerSolver : public Solver {
 public:
  IntegerSolver(const Problem& problem, const Source& source, const SolverOptions& options,
                const std::vector<double>& initial);

  Measurement epoch(const EpochOptions& options) override;
  Measurement measurement() const override { return measurement_; }
  std::vector<double> weights() const override;
  double largest_row() const override { return data_.largest_row; }
  double largest_eigenvalue(int64_t first, int64_t m) override;

 private:
  // A step's constants.
  struct Plan {
    double scale;  // of the offsets
    CoefficientSpec coefficients;
    UpdateSpec update;
    Array<float> units;      // per row
    Array<Sum> drift, keep;  // per output and column
  };
  // What a pass over the data has found.
  struct Found {
    double rest = 0, largest = 0, loss = 0;
  };
  // All the memory of an epoch with so many threads, had before the epoch begins: what would be
  // asked for on the way could be refused with half of the solver changed.
  struct Workspace {
    struct Share {  // of a thread
      Array<int64_t> dots, totals;
      Array<Word> gamma;
      Array<float> activations;
      Array<double> derivatives;
      Array<Sum> sums;
      uint32_t largest = 0;
    };

    Workspace(const IntegerSolver& solver, int step_threads, int pass_threads);

    const int step_threads, pass_threads;
    Plan plan;
    int64_t parts_stride;
    Array<int64_t> parts;  // [2, step_threads, outputs, parts_stride]
    Array<Sum> sums;       // [outputs, padded]
    Barrier barrier;
    std::vector<Share> shares;
    std::vector<SnapshotSums> found;               // per block of rows
    Array<double> sampled_states, sampled_values;  // of sampled_change
    Array<float> sampled_predictions;
  };

  // Makes the workspace for so many threads, unless it is there; returns how many are of use.
  int prepare(int threads);

  int64_t blocks() const { return (problem_.rows + block_rows_ - 1) / block_rows_; }
  bool starts_from_intercepts(const std::vector<double>& initial) const;
  bool is_centered() const { return options_.algorithm == Algorithm::kHalp; }
  IntegerRows rows(int64_t first, int64_t count) const;
  // What the loops find over stored columns [begin, end), and what the intercept's column adds,
  // which is stored nowhere: it is its constant in every row.
  void forward(const IntegerRows& rows, const Digits<Word>& z, int outputs, int64_t begin,
               int64_t end, int64_t* dots, int64_t dots_stride) const;
  void backward(const IntegerRows& rows, const Digits<Word>& gamma, int outputs, int64_t begin,
                int64_t end, Sum* sums) const;
  double choose_scale(const EpochOptions& options);
  const Plan& make_plan(const EpochOptions& options, double scale);
  double run_with_fitted_scale(const EpochOptions& options, double scale, Team& team);
  int rescale_offsets(double share_of_epoch);
  OffsetFit offset_fit() const;
  void run_steps(const EpochOptions& options, const Plan& plan, Team& team);
  void finish_steps(double scale);
  void update_gradient(double scale, bool moved, Team& team);
  double sampled_change(double scale, bool moved);
  Found gradient_pass(const SnapshotSpec& spec, bool moved, Team& team);
  RowState state(int64_t first);
  void measure();
  OffsetScale::Gradient gradient_norms() const;

  const Problem problem_;
  const SolverOptions options_;
  const IntegerKernels<Word, Sum>& kernels_;
  const Samples samples_;
  const PackedIntegers data_;
  const int64_t columns_, stored_, padded_;  // with the intercept; without; rounded up
  const bool has_intercept_;
  const int32_t limit_;
  int64_t block_rows_;
  int fraction_bits_;

  std::vector<double> center_;                   // [outputs, columns]
  std::vector<double> gradient_, gradient_low_;  // of the data term, as unevaluated sums
  Array<Word> offsets_;                          // [outputs, padded]
  Array<double> activations_, references_;       // [outputs, rows]
  Array<float> predictions_;                     // likewise; targets for SGD
  OffsetScale offset_scale_;
  CoefficientScale coefficient_scale_;
  std::unique_ptr<Workspace> space_;
  uint64_t steps_done_ = 0;
  Measurement measurement_;
};

extern template class IntegerSolver<int8_t, int32_t>;
extern template class IntegerSolver<int16_t, double>;

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_INTEGER_SOLVER_H_
