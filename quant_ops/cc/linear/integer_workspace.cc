// The memory of an epoch: see IntegerSolver::Workspace.
#include <algorithm>

#include "integer_solver.h"

namespace quant_ops::linear {

template <class Word, class Sum>
IntegerSolver<Word, Sum>::Workspace::Workspace(const IntegerSolver& solver, int step_threads,
                                               int pass_threads)
    : step_threads(step_threads),
      pass_threads(pass_threads),
      parts_stride((solver.problem_.batch_size + 3) / 4 * 4 + 64),
      parts(int64_t{2} * step_threads * solver.problem_.outputs * parts_stride),
      sums(solver.offsets_.size()),
      barrier(step_threads),
      shares(std::max(step_threads, pass_threads)),
      found(solver.blocks()),
      sampled_states(2 * solver.problem_.outputs * kSampledRows),
      sampled_values(solver.problem_.outputs * kRowBlock),
      sampled_predictions(solver.problem_.outputs * kSampledRows) {
  const int64_t outputs = solver.problem_.outputs;
  plan.units = Array<float>(solver.problem_.rows);
  plan.drift = Array<Sum>(solver.offsets_.size());
  plan.keep = Array<Sum>(solver.offsets_.size());
  const int64_t rows = std::max(parts_stride, solver.block_rows_ + kColumnUnit);
  for (Share& share : shares) {
    share.dots = Array<int64_t>(outputs * rows);
    share.gamma = Array<Word>(outputs * rows);
    share.totals = Array<int64_t>(solver.offsets_.size());
    share.sums = Array<Sum>(solver.offsets_.size());
    share.activations = Array<float>(outputs * kRowBlock);
    share.derivatives = Array<double>(outputs * kRowBlock);
  }
}

template <class Word, class Sum>
int IntegerSolver<Word, Sum>::prepare(int threads) {
  const int steps = useful_threads(problem_, threads);
  const int pass = static_cast<int>(std::min<int64_t>(threads, blocks()));
  if (space_ == nullptr || space_->step_threads != steps || space_->pass_threads != pass) {
    space_ = std::make_unique<Workspace>(*this, steps, pass);
  }
  return std::max(steps, pass);
}

template class IntegerSolver<int8_t, int32_t>;
template class IntegerSolver<int16_t, double>;

}  // namespace quant_ops::linear
