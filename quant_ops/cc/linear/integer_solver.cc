#include "integer_solver.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "stopwatch.h"

namespace quant_ops::linear {
namespace {

template <class Word, class Sum>
const IntegerKernels<Word, Sum>& integer_kernels() {
  if constexpr (sizeof(Word) == 1) {
    return kernels().narrow;
  } else {
    return kernels().wide;
  }
}

// Of the next batch, which the processor can wait for while it computes: fewer than its line fill
// buffers.
constexpr int kLinesAtOnce = 8;

// Blocks of rows that stay in the second-level cache between their two uses.
int64_t choose_block_rows(int64_t stride) {
  const int64_t rows = std::clamp<int64_t>((int64_t{128} << 10) / stride, 8, 512);
  return rows < kRowBlock ? rows / 4 * 4 : rows / kRowBlock * kRowBlock;
}

}  // namespace

template <class Word, class Sum>
IntegerSolver<Word, Sum>::IntegerSolver(const Problem& problem, const Source& source,
                                        const SolverOptions& options,
                                        const std::vector<double>& initial)
    : problem_(problem),
      options_(options),
      kernels_(integer_kernels<Word, Sum>()),
      samples_(problem, source.data.rows),
      data_(pack_integers(source, samples_, options.data_bits, sizeof(Word) > 1)),
      columns_(problem.columns),
      stored_((source.data.features.columns + kColumnUnit - 1) / kColumnUnit * kColumnUnit),
      padded_((problem.columns + kColumnUnit - 1) / kColumnUnit * kColumnUnit),
      has_intercept_(source.data.features.has_intercept),
      limit_((int32_t{1} << (options.word_bits - 1)) - 1),
      block_rows_(choose_block_rows(data_.stride)),
      fraction_bits_(sizeof(Word) == 1 ? 16 : 24),
      center_(problem.outputs * problem.columns),
      gradient_(center_.size()),
      gradient_low_(center_.size()),
      offsets_(problem.outputs * padded_),
      activations_(problem.outputs * problem.rows),
      references_(problem.outputs * problem.rows),
      predictions_(problem.outputs * problem.rows),
      coefficient_scale_(options.word_bits, options.data_bits, fraction_bits_) {
  Team& team = source.team;
  prepare(team.size());
  double scale = 0;
  if (!is_centered()) scale = options.weight_range / (limit_ + 1);
  if (starts_from_intercepts(initial)) {
    for (int o = 0; o < problem.outputs; ++o) {
      const double w = initial[(o + 1) * columns_ - 1] / data_.intercept_value;
      center_[(o + 1) * columns_ - 1] = w;
      std::fill_n(activations_.data() + o * problem.rows, problem.rows, w * data_.intercept_value);
    }
  } else if (!initial.empty()) {
    // The start is a movement from zero like any other, over one or more grids of offsets.
    constexpr double kRounding = 1e-15;  // of the largest weight: what is below would be lost in it
    std::vector<double> left = initial;
    double least = 0;
    for (int o = 0; o < problem.outputs && has_intercept_; ++o) {
      left[(o + 1) * columns_ - 1] /= data_.intercept_value;
    }
    for (int round = 0; round < (is_centered() ? 8 : 1); ++round) {
      double largest = 0;
      for (const double w : left) largest = std::max(largest, std::fabs(w));
      if (round == 0) least = kRounding * largest;
      if (!(largest > least)) break;
      if (is_centered()) scale = largest / limit_;
      for (int o = 0; o < problem.outputs; ++o) {
        for (int64_t j = 0; j < columns_; ++j) {
          double& w = left[o * columns_ + j];
          const double n = std::clamp(std::rint(w / scale), -limit_ - 1.0, double(limit_));
          offsets_[o * padded_ + j] = static_cast<Word>(static_cast<int32_t>(n));
          w -= n * scale;
        }
      }
      finish_steps(scale);
      update_gradient(scale, true, team);
    }
  }
  const Stopwatch pass;
  update_gradient(scale, false, team);
  measure();
  measurement_.gradient_seconds = pass.seconds();
}

// Then every activation is its output's intercept, of any number.
template <class Word, class Sum>
bool IntegerSolver<Word, Sum>::starts_from_intercepts(const std::vector<double>& initial) const {
  if (initial.empty() || !has_intercept_ || !is_centered()) return false;
  for (int o = 0; o < problem_.outputs; ++o) {
    for (int64_t j = 0; j + 1 < columns_; ++j) {
      if (initial[o * columns_ + j] != 0) return false;
    }
  }
  return true;
}

template <class Word, class Sum>
IntegerRows IntegerSolver<Word, Sum>::rows(int64_t first, int64_t count) const {
  return {data_.data.data() + first * data_.stride, data_.stride, static_cast<int>(count), nullptr};
}

template <class Word, class Sum>
std::vector<double> IntegerSolver<Word, Sum>::weights() const {
  std::vector<double> result = center_;
  for (int o = 0; o < problem_.outputs && has_intercept_; ++o) {
    result[(o + 1) * columns_ - 1] *= data_.intercept_value;
  }
  return result;
}

template <class Word, class Sum>
Measurement IntegerSolver<Word, Sum>::epoch(const EpochOptions& options) {
  Team team(prepare(options.threads));
  const Stopwatch steps;
  double scale = choose_scale(options);
  measurement_.scale = scale;
  measurement_.saturated = measurement_.inner_seconds = measurement_.gradient_seconds = 0;
  if (!(scale > 0) || !std::isfinite(scale)) return measurement_;  // at the optimum, or lost
  if (is_centered() && options.mu == 0) {
    scale = run_with_fitted_scale(options, scale, team);
  } else {
    run_steps(options, make_plan(options, scale), team);
  }
  finish_steps(scale);
  measurement_.scale = scale;
  measurement_.inner_seconds = steps.seconds();
  const Stopwatch pass;
  update_gradient(scale, true, team);
  measure();
  measurement_.gradient_seconds = pass.seconds();
  return measurement_;
}

// u = sum_r gamma_r x_r is in units of 2^-exponent scale, drift and the rest in 2^-fraction_bits
// scale.
template <class Word, class Sum>
const typename IntegerSolver<Word, Sum>::Plan& IntegerSolver<Word, Sum>::make_plan(
    const EpochOptions& options, double scale) {
  Plan& p = space_->plan;
  const int exponent = coefficient_scale_.exponent();
  const double one = std::exp2(fraction_bits_);
  p.scale = scale;
  p.coefficients = {problem_.loss,    is_centered(),
                    problem_.outputs, static_cast<float>(scale * data_.scale),
                    limit_,           {}};
  p.update = {false, fraction_bits_ - exponent, limit_, {}};
  const double unit = options.learning_rate * static_cast<double>(problem_.batches()) *
                      data_.scale * std::exp2(exponent) / scale;
  for (int64_t i = 0; i < problem_.rows; ++i) {
    p.units[i] = static_cast<float>(unit * samples_.weights[i]);
  }
  const bool reduces_variance = options_.algorithm != Algorithm::kLowPrecisionSgd;
  const double bound = std::exp2(fraction_bits_ == 16 ? 29 : 50);
  for (int o = 0; o < problem_.outputs; ++o) {
    for (int64_t j = 0; j < columns_; ++j) {
      const int64_t at = o * columns_ + j;
      const double decay = std::min(options.learning_rate * problem_.l2[j], 2.0);
      p.update.decays = p.update.decays || decay > 0;
      double drift =
          reduces_variance ? options.learning_rate * (gradient_[at] + gradient_low_[at]) : 0.0;
      if (is_centered()) drift += decay * center_[at];
      const double units = std::clamp(std::rint(drift / scale * one), -bound, bound);
      p.drift[o * padded_ + j] = static_cast<Sum>(units);
      p.keep[o * padded_ + j] = static_cast<Sum>(std::rint(one * (1 - decay)));
    }
  }
  return p;
}

// Threads share the columns out: each has its own offsets, and its part of the dot products. One
// barrier a step is enough, as the parts of two steps are in different places.
template <class Word, class Sum>
void IntegerSolver<Word, Sum>::run_steps(const EpochOptions& options, const Plan& plan,
                                         Team& team) {
  const int outputs = problem_.outputs;
  const int element_bits = stored_bits(data_.storage);
  Workspace& space = *space_;
  const int64_t stride = space.parts_stride;
  const int threads = space.step_threads;
  const auto part_of = [&](int64_t step, int id) {
    return space.parts.data() + ((step & 1) * threads + id) * outputs * stride;
  };
  team.run(threads, [&](int id) {
    const Part mine(stored_, kColumnUnit, threads, id);
    const int64_t mine_end = mine.end == stored_ ? columns_ : mine.end;
    auto& share = space.shares[id];
    Array<int64_t>& dots = share.dots;
    Array<Word>& gamma = share.gamma;
    uint32_t seen = 0;
    Batch batch(problem_, steps_done_);
    for (int64_t step = 0; step < options.steps; ++step) {
      const uint64_t number = steps_done_ + static_cast<uint64_t>(step);
      const Batch next(problem_, number + 1);
      IntegerRows data = rows(batch.first, batch.count);
      Ahead ahead(data_.data.data() + next.first * data_.stride, data_.stride, next.count,
                  mine.begin * element_bits / 8, mine.end * element_bits / 8);
      data.ahead = &ahead;
      fetch_range(plan.units.data() + next.first, next.count * sizeof(float));
      for (int o = 0; o < outputs; ++o) {
        fetch_range(predictions_.data() + o * problem_.rows + next.first,
                    next.count * sizeof(float));
      }
      int64_t* const own = part_of(step, id);
      forward(data, {offsets_.data(), padded_, options_.word_bits}, outputs, mine.begin, mine.end,
              own, stride);
      space.barrier.wait(id);
      const int64_t* all = own;
      if (threads > 1) {
        for (int o = 0; o < outputs; ++o) {
          int64_t* const sum = dots.data() + o * stride;
          std::fill_n(sum, batch.count, 0);
          for (int other = 0; other < threads; ++other) {
            const int64_t* const part = part_of(step, other) + o * stride;
            for (int64_t i = 0; i < batch.count; ++i) sum[i] += part[i];
          }
        }
        all = dots.data();
      }
      ahead.fetch<kLinesAtOnce>();
      CoefficientSpec coefficients = plan.coefficients;
      coefficients.stream = stream(problem_.seed, Draw::kStep, number);
      const uint32_t magnitude = kernels_.coefficients(
          coefficients, all, stride, batch.count, predictions_.data() + batch.first, problem_.rows,
          plan.units.data() + batch.first, share.activations.data(), gamma.data());
      seen = std::max(seen, magnitude);
      for (int o = 0; o < outputs; ++o) {
        std::fill_n(gamma.data() + o * stride + batch.count, 4, Word{0});
      }
      backward(data, {gamma.data(), stride, options_.word_bits}, outputs, mine.begin, mine.end,
               space.sums.data());
      ahead.fetch<kLinesAtOnce>();
      UpdateSpec update = plan.update;
      update.stream = coefficients.stream;
      for (int o = 0; o < outputs; ++o) {
        const int64_t at = o * padded_;
        kernels_.update(update, space.sums.data() + at, plan.drift.data() + at,
                        plan.keep.data() + at, at, mine.begin, mine_end, offsets_.data() + at);
      }
      batch = next;
    }
    share.largest = seen;
  });
  steps_done_ += static_cast<uint64_t>(options.steps);
  uint32_t bits = 0;
  for (int id = 0; id < threads; ++id) bits = std::max(bits, space.shares[id].largest);
  float magnitude;
  std::memcpy(&magnitude, &bits, sizeof(magnitude));
  coefficient_scale_.saw(magnitude, limit_);
}

// The centre moves by the offsets, or is them.
template <class Word, class Sum>
void IntegerSolver<Word, Sum>::finish_steps(double scale) {
  for (int o = 0; o < problem_.outputs; ++o) {
    for (int64_t j = 0; j < columns_; ++j) {
      double& w = center_[o * columns_ + j];
      w = (is_centered() ? w : 0.0) + scale * offsets_[o * padded_ + j];
    }
  }
  const OffsetFit fit = offset_fit();
  measurement_.saturated = fit.saturated;
  offset_scale_.saw(fit, scale);
}

template class IntegerSolver<int8_t, int32_t>;
template class IntegerSolver<int16_t, double>;

}  // namespace quant_ops::linear
