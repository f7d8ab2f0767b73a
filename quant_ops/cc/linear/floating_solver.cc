#include "floating_solver.h"

#include <algorithm>
#include <cmath>

#include "stopwatch.h"

namespace quant_ops::linear {
namespace {

template <class Real>
const FloatKernels<Real>& float_kernels() {
  if constexpr (sizeof(Real) == sizeof(float)) {
    return floating_kernels().single_precision;
  } else {
    return floating_kernels().double_precision;
  }
}

}  // namespace

template <class Real>
FloatingSolver<Real>::FloatingSolver(const Problem& problem, const Source& source,
                                     const SolverOptions& options,
                                     const std::vector<double>& initial)
    : problem_(problem),
      options_(options),
      kernels_(float_kernels<Real>()),
      samples_(problem, source.data.rows),
      data_(pack_floats<Real>(source, samples_)),
      columns_(problem.columns),
      stored_(source.data.features.columns),
      padded_((problem.columns + kColumnUnit - 1) / kColumnUnit * kColumnUnit),
      has_intercept_(source.data.features.has_intercept),
      block_rows_(std::clamp<int64_t>(
          (int64_t{128} << 10) / (data_.stride * static_cast<int64_t>(sizeof(Real))), 8,
          kRowBlock)),
      weights_(problem.outputs * padded_),
      predictions_(problem.outputs * problem.rows),
      gradient_(problem.outputs * problem.columns) {
  for (int o = 0; o < problem.outputs && !initial.empty(); ++o) {
    for (int64_t j = 0; j < columns_; ++j) {
      weights_[o * padded_ + j] = static_cast<Real>(initial[o * columns_ + j]);
    }
    if (has_intercept_) {
      weights_[o * padded_ + columns_ - 1] /= static_cast<Real>(data_.intercept_value);
    }
  }
  Team& team = source.team;
  prepare(team.size());
  const Stopwatch pass;
  update_gradient(team);
  measurement_.gradient_seconds = pass.seconds();
}

template <class Real>
FloatingSolver<Real>::Workspace::Workspace(const FloatingSolver& solver, int step_threads,
                                           int pass_threads)
    : step_threads(step_threads),
      pass_threads(pass_threads),
      parts(int64_t{2} * step_threads * solver.problem_.outputs * solver.batch_stride()),
      sums(solver.weights_.size()),
      drift(solver.weights_.size()),
      keep(solver.padded_),
      factors(solver.problem_.rows),
      barrier(step_threads),
      shares(std::max(step_threads, pass_threads)),
      losses(solver.blocks()) {
  const int64_t outputs = solver.problem_.outputs;
  for (Share& share : shares) {
    share.beta = Array<Real>(outputs * solver.batch_stride());
    share.values = Array<Real>(outputs * kRowBlock);
    share.sums = Array<Real>(solver.weights_.size());
    share.activations = Array<double>(outputs * kRowBlock);
    share.totals = Array<double>(solver.weights_.size());
  }
}

template <class Real>
int FloatingSolver<Real>::prepare(int threads) {
  const int steps = useful_threads(problem_, threads);
  const int pass = static_cast<int>(std::min<int64_t>(threads, blocks()));
  if (space_ == nullptr || space_->step_threads != steps || space_->pass_threads != pass) {
    space_ = std::make_unique<Workspace>(*this, steps, pass);
  }
  return std::max(steps, pass);
}

template <class Real>
Rows<Real> FloatingSolver<Real>::rows(int64_t first, int64_t count) const {
  return {data_.data.data() + first * data_.stride, data_.stride, static_cast<int>(count), nullptr};
}

template <class Real>
void FloatingSolver<Real>::forward(const Rows<Real>& rows, const Real* w, int outputs,
                                   int64_t begin, int64_t end, Real* dots,
                                   int64_t dots_stride) const {
  const Real constant = static_cast<Real>(data_.intercept_value);
  for (int o = 0; o < outputs; ++o) {
    const Real dot =
        has_intercept_ && end >= stored_ ? constant * w[o * padded_ + columns_ - 1] : 0;
    std::fill_n(dots + o * dots_stride, rows.count, dot);
  }
  kernels_.forward(rows, w, padded_, outputs, begin, std::min(end, data_.columns), dots,
                   dots_stride);
}

template <class Real>
void FloatingSolver<Real>::backward(const Rows<Real>& rows, const Real* beta, int64_t beta_stride,
                                    int outputs, int64_t begin, int64_t end, Real* sums) const {
  kernels_.backward(rows, beta, beta_stride, outputs, begin, std::min(end, data_.columns), sums,
                    padded_);
  for (int o = 0; o < outputs && has_intercept_ && end >= stored_; ++o) {
    double sum = 0;
    for (int r = 0; r < rows.count; ++r) sum += static_cast<double>(beta[o * beta_stride + r]);
    sums[o * padded_ + columns_ - 1] = static_cast<Real>(sum * data_.intercept_value);
  }
}

template <class Real>
std::vector<double> FloatingSolver<Real>::weights() const {
  std::vector<double> result(gradient_.size());
  for (int o = 0; o < problem_.outputs; ++o) {
    std::copy_n(weights_.data() + o * padded_, columns_, result.data() + o * columns_);
    if (has_intercept_) result[(o + 1) * columns_ - 1] *= data_.intercept_value;
  }
  return result;
}

template <class Real>
Measurement FloatingSolver<Real>::epoch(const EpochOptions& options) {
  Team team(prepare(options.threads));
  const Stopwatch steps;
  run_steps(options, team);
  measurement_.inner_seconds = steps.seconds();
  const Stopwatch pass;
  update_gradient(team);
  measurement_.gradient_seconds = pass.seconds();
  return measurement_;
}

// As the integer solver's steps: threads share the columns out, one barrier a step.
template <class Real>
void FloatingSolver<Real>::run_steps(const EpochOptions& options, Team& team) {
  const int outputs = problem_.outputs;
  const int64_t stride = batch_stride();
  const int64_t row_bytes = data_.stride * static_cast<int64_t>(sizeof(Real));
  Workspace& space = *space_;
  const int threads = space.step_threads;
  const bool reduces_variance = options_.algorithm == Algorithm::kSvrg;
  const double rate = options.learning_rate;
  Array<Real>&drift = space.drift, &keep = space.keep, &factors = space.factors;
  for (int o = 0; o < outputs && reduces_variance; ++o) {
    for (int64_t j = 0; j < columns_; ++j) {
      drift[o * padded_ + j] = static_cast<Real>(rate * gradient_[o * columns_ + j]);
    }
  }
  for (int64_t j = 0; j < columns_; ++j) keep[j] = static_cast<Real>(1 - rate * problem_.l2[j]);
  for (int64_t i = 0; i < problem_.rows; ++i) {
    factors[i] =
        static_cast<Real>(rate * static_cast<double>(problem_.batches()) * samples_.weights[i]);
  }
  const auto part_of = [&](int64_t step, int id) {
    return space.parts.data() + ((step & 1) * threads + id) * outputs * stride;
  };
  team.run(threads, [&](int id) {
    const Part mine(stored_, kColumnUnit, threads, id);
    const int64_t mine_end = mine.end == stored_ ? columns_ : mine.end;
    // The zeros after the last column are read with it.
    const int64_t end = mine.end == stored_ ? data_.columns : mine.end;
    Array<Real>& beta = space.shares[id].beta;
    Batch batch(problem_, steps_done_);
    for (int64_t step = 0; step < options.steps; ++step) {
      const uint64_t number = steps_done_ + static_cast<uint64_t>(step);
      const Batch next(problem_, number + 1);
      Rows<Real> data = rows(batch.first, batch.count);
      Ahead ahead(data_.data.data() + next.first * data_.stride, row_bytes, next.count,
                  mine.begin * sizeof(Real), end * sizeof(Real));
      data.ahead = &ahead;
      fetch_range(factors.data() + next.first, next.count * sizeof(Real));
      for (int o = 0; o < outputs; ++o) {
        fetch_range(predictions_.data() + o * problem_.rows + next.first,
                    next.count * sizeof(Real));
      }
      Real* const own = part_of(step, id);
      forward(data, weights_.data(), outputs, mine.begin, end, own, stride);
      space.barrier.wait(id);
      for (int o = 0; o < outputs; ++o) {
        Real* const sum = beta.data() + o * stride;
        std::copy_n(part_of(step, 0) + o * stride, batch.count, sum);
        for (int other = 1; other < threads; ++other) {
          const Real* const part = part_of(step, other) + o * stride;
          for (int64_t i = 0; i < batch.count; ++i) sum[i] += part[i];
        }
      }
      for (int at = 0; at < batch.count; at += kRowBlock) {
        kernels_.predict(problem_.loss, outputs, std::min(kRowBlock, batch.count - at),
                         beta.data() + at, stride);
      }
      for (int o = 0; o < outputs; ++o) {
        const Real* const before = predictions_.data() + o * problem_.rows + batch.first;
        const Real* const factor = factors.data() + batch.first;
        Real* const b = beta.data() + o * stride;
        for (int r = 0; r < batch.count; ++r) b[r] = (b[r] - before[r]) * factor[r];
      }
      backward(data, beta.data(), stride, outputs, mine.begin, end, space.sums.data());
      for (int o = 0; o < outputs; ++o) {
        kernels_.update(space.sums.data() + o * padded_, drift.data() + o * padded_, keep.data(),
                        mine.begin, mine_end, weights_.data() + o * padded_);
      }
      batch = next;
    }
  });
  steps_done_ += static_cast<uint64_t>(options.steps);
}

// sum_i weight_i derivative_i x_i at the weights: block by block, which stay in the cache.
template <class Real>
void FloatingSolver<Real>::update_gradient(Team& team) {
  const int outputs = problem_.outputs;
  const int threads = space_->pass_threads;
  std::vector<double>& losses = space_->losses;
  const bool keeps_predictions = options_.algorithm == Algorithm::kSvrg;
  team.run(threads, [&](int id) {
    auto& share = space_->shares[id];
    Array<Real>&a = share.values, &sums = share.sums;
    Array<double>& activations = share.activations;
    double* const total = share.totals.data();
    std::fill_n(total, outputs * padded_, 0.0);
    const Part mine(blocks(), 1, threads, id);
    for (int64_t block = mine.begin; block < mine.end; ++block) {
      const int64_t first = block * block_rows_;
      const int count = static_cast<int>(std::min(block_rows_, problem_.rows - first));
      Rows<Real> data = rows(first, count);
      const int64_t row_bytes = data_.stride * static_cast<int64_t>(sizeof(Real));
      Ahead ahead(data.data + block_rows_ * data_.stride, row_bytes, block_rows_, 0, row_bytes);
      data.ahead = &ahead;
      forward(data, weights_.data(), outputs, 0, data_.columns, a.data(), kRowBlock);
      std::copy_n(a.data(), a.size(), activations.data());
      const double* const targets = samples_.targets.data() + first;
      const double* const weights = samples_.weights.data() + first;
      losses[block] = kernels_.loss(problem_.loss, outputs, count, activations.data(), kRowBlock,
                                    targets, weights);
      for (int o = 0; o < outputs; ++o) {
        const double* const p = activations.data() + o * kRowBlock;
        Real* const beta = a.data() + o * kRowBlock;
        Real* const kept = predictions_.data() + o * problem_.rows + first;
        for (int r = 0; r < count; ++r) {
          const bool is_class = targets[r] == o;
          const double target =
              problem_.loss == Loss::kSoftmax ? (is_class ? 1.0 : 0.0) : targets[r];
          if (keeps_predictions) kept[r] = static_cast<Real>(p[r]);
          beta[r] =
              static_cast<Real>(weights[r] * static_cast<double>(problem_.rows) * (p[r] - target));
        }
      }
      backward(data, a.data(), kRowBlock, outputs, 0, data_.columns, sums.data());
      for (int64_t i = 0; i < outputs * padded_; ++i) total[i] += static_cast<double>(sums[i]);
    }
  });
  if (!keeps_predictions) samples_.write_targets(problem_, predictions_.data());
  double loss = 0, squares = 0;
  for (const double part : losses) loss += part;
  for (int o = 0; o < outputs; ++o) {
    for (int64_t j = 0; j < columns_; ++j) {
      double sum = 0;
      for (int id = 0; id < threads; ++id) sum += space_->shares[id].totals[o * padded_ + j];
      gradient_[o * columns_ + j] = sum / static_cast<double>(problem_.rows);
      const double w = static_cast<double>(weights_[o * padded_ + j]);
      const double g = gradient_[o * columns_ + j] + problem_.l2[j] * w;
      squares += g * g;
      loss += 0.5 * problem_.l2[j] * w * w;
    }
  }
  measurement_.loss = loss;
  measurement_.gradient_norm = std::sqrt(squares);
}

template class FloatingSolver<float>;
template class FloatingSolver<double>;

}  // namespace quant_ops::linear
