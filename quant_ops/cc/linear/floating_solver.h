// SVRG and SGD in single or double precision: what HALP is measured against.
#ifndef QUANT_OPS_LINEAR_FLOATING_SOLVER_H_
#define QUANT_OPS_LINEAR_FLOATING_SOLVER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "huge_page_arrays.h"
#include "kernel_tables.h"
#include "packing.h"
#include "solver.h"
#include "targets_and_weights.h"
#include "team.h"

namespace quant_ops::linear {

template <class Real>
class FloatingSolver : public Solver {
 public:
  FloatingSolver(const Problem& problem, const Source& source, const SolverOptions& options,
                 const std::vector<double>& initial);

  Measurement epoch(const EpochOptions& options) override;
  Measurement measurement() const override { return measurement_; }
  std::vector<double> weights() const override;
  double largest_row() const override { return data_.largest_row; }
  double largest_eigenvalue(int64_t first, int64_t m) override;

 private:
  // As the integer solver's: all the memory of an epoch with so many threads.
  struct Workspace {
    struct Share {  // of a thread
      Array<Real> beta, values, sums;
      Array<double> activations, totals;
    };

    Workspace(const FloatingSolver& solver, int step_threads, int pass_threads);

    const int step_threads, pass_threads;
    Array<Real> parts;              // [2, step_threads, outputs, batch_stride]
    Array<Real> sums, drift, keep;  // [outputs, padded]; keep [padded]
    Array<Real> factors;            // per row
    Barrier barrier;
    std::vector<Share> shares;
    std::vector<double> losses;  // per block of rows
  };

  // Makes the workspace for so many threads, unless it is there; returns how many are of use.
  int prepare(int threads);

  int64_t batch_stride() const { return problem_.batch_size + kRowBlock; }
  int64_t blocks() const { return (problem_.rows + block_rows_ - 1) / block_rows_; }
  Rows<Real> rows(int64_t first, int64_t count) const;
  // As the integer solver's.
  void forward(const Rows<Real>& rows, const Real* w, int outputs, int64_t begin, int64_t end,
               Real* dots, int64_t dots_stride) const;
  void backward(const Rows<Real>& rows, const Real* beta, int64_t beta_stride, int outputs,
                int64_t begin, int64_t end, Real* sums) const;
  void run_steps(const EpochOptions& options, Team& team);
  void update_gradient(Team& team);

  const Problem problem_;
  const SolverOptions options_;
  const FloatKernels<Real>& kernels_;
  const Samples samples_;
  const PackedFloats<Real> data_;
  const int64_t columns_, stored_, padded_;
  const bool has_intercept_;
  int64_t block_rows_;

  Array<Real> weights_;           // [outputs, padded]
  Array<Real> predictions_;       // [outputs, rows]: at the centre; targets for SGD
  std::vector<double> gradient_;  // [outputs, columns], of the data term
  std::unique_ptr<Workspace> space_;
  uint64_t steps_done_ = 0;
  Measurement measurement_;
};

extern template class FloatingSolver<float>;
extern template class FloatingSolver<double>;

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_FLOATING_SOLVER_H_
