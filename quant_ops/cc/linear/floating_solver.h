// SVRG and SGD in single or double precision: what HALP is measured against.
#ifndef QUANT_OPS_LINEAR_FLOATING_SOLVER_H_
#define QUANT_OPS_LINEAR_FLOATING_SOLVER_H_

#include <cstdint>
#include <vector>

#include "kernels.h"
#include "memory.h"
#include "packing.h"
#include "samples.h"
#include "solver.h"
#include "team.h"

namespace quant_ops::linear {

template <class Real>
class FloatingSolver : public Solver {
 public:
  FloatingSolver(const Problem& problem, const Features& features, const FeatureStatistics& facts,
                 const SolverOptions& options, const std::vector<double>& initial);

  Measurement epoch(const EpochOptions& options) override;
  Measurement measurement() const override { return measurement_; }
  std::vector<double> weights() const override;

 private:
  Rows<Real> rows(int64_t first, int64_t count) const;
  void run_steps(const EpochOptions& options);
  void update_gradient(int threads);

  const Problem problem_;
  const SolverOptions options_;
  const FloatKernels<Real>& kernels_;
  const Samples samples_;
  const PackedFloats<Real> data_;
  const int64_t columns_, padded_;
  const bool has_intercept_;
  int64_t block_rows_;

  Array<Real> weights_;           // [outputs, padded]
  Array<Real> predictions_;       // [outputs, rows]: at the centre; targets for SGD
  std::vector<double> gradient_;  // [outputs, columns], of the data term
  uint64_t steps_done_ = 0;
  Measurement measurement_;
};

extern template class FloatingSolver<float>;
extern template class FloatingSolver<double>;

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_FLOATING_SOLVER_H_
