// The integer solver's full gradient: see integer_solver.h for the idea.
#include <algorithm>
#include <cmath>

#include "integer_solver.h"

namespace quant_ops::linear {
template <class Word, class Sum>
RowState IntegerSolver<Word, Sum>::state(int64_t first) {
  return {activations_.data() + first,     references_.data() + first,
          predictions_.data() + first,     samples_.targets.data() + first,
          samples_.weights.data() + first, problem_.rows};
}

// Passes until what the references leave out is one percent of the gradient, given that rounding
// errors are independent of the data.
template <class Word, class Sum>
void IntegerSolver<Word, Sum>::update_gradient(double scale, bool moved, Team& team) {
  constexpr int kMostPasses = 4;
  constexpr double kTolerance = 0.01;
  if (moved && !is_centered()) {
    std::fill_n(activations_.data(), activations_.size(), 0.0);
  }
  double largest = sampled_change(scale, moved);
  for (int pass = 0; pass < kMostPasses; ++pass) {
    if (!std::isfinite(largest)) break;
    SnapshotSpec spec{problem_.loss, problem_.outputs, scale * data_.scale, 1, limit_};
    if (largest > 0) spec.quantum = largest / limit_;
    const bool moves = moved && pass == 0;
    const Found found = gradient_pass(spec, moves, team);
    measurement_.loss = found.loss;
    const double error = std::sqrt(found.rest * data_.mean_square_norm);
    if (!(error > kTolerance * gradient_norms().norm)) break;
    largest = std::max(spec.quantum / 2, found.largest - limit_ * spec.quantum);
  }
  if (moved && is_centered()) std::fill_n(offsets_.data(), offsets_.size(), Word{0});
  if (options_.algorithm == Algorithm::kLowPrecisionSgd) {
    samples_.write_targets(problem_, predictions_.data());
  }
}

// How large the derivatives' changes are, from a few groups of rows, of which nothing is kept.
template <class Word, class Sum>
double IntegerSolver<Word, Sum>::sampled_change(double scale, bool moved) {
  constexpr int64_t kGroups = 8, kGroup = kSampledRows;
  constexpr double kMargin = 1.25;  // what few rows have in excess is left for the next epoch
  const int outputs = problem_.outputs;
  Array<double>& copies = space_->sampled_states;
  Array<int64_t>& dots = space_->shares[0].dots;
  Array<Word>& gamma = space_->shares[0].gamma;
  double largest = 0;
  const int64_t groups = std::min(kGroups, (problem_.rows + kGroup - 1) / kGroup);
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t first = (problem_.rows - 1) * g / groups / kGroup * kGroup;
    const int count = static_cast<int>(std::min(kGroup, problem_.rows - first));
    RowState copy = state(first);
    for (int o = 0; o < outputs; ++o) {
      std::copy_n(copy.activations + o * problem_.rows, count, copies.data() + o * kGroup);
      std::copy_n(copy.references + o * problem_.rows, count,
                  copies.data() + (outputs + o) * kGroup);
    }
    copy.activations = copies.data();
    copy.references = copies.data() + outputs * kGroup;
    copy.predictions = space_->sampled_predictions.data();
    copy.stride = kGroup;
    if (moved) {
      forward(rows(first, count), {offsets_.data(), padded_, options_.word_bits}, outputs, 0,
              stored_, dots.data(), kGroup);
    } else {
      std::fill_n(dots.data(), outputs * kGroup, 0);
    }
    const SnapshotSpec spec{problem_.loss, outputs, scale * data_.scale, 1, limit_};
    const SnapshotSums sums =
        kernels_.snapshot(spec, dots.data(), kGroup, count, copy, space_->sampled_values.data(),
                          gamma.data(), kGroup);
    largest = std::max(largest, sums.largest);
  }
  return kMargin * largest;
}

template <class Word, class Sum>
typename IntegerSolver<Word, Sum>::Found IntegerSolver<Word, Sum>::gradient_pass(
    const SnapshotSpec& spec, bool moved, Team& team) {
  const int outputs = problem_.outputs;
  const int64_t stride = block_rows_ + 4;
  const int threads = space_->pass_threads;
  std::vector<SnapshotSums>& found = space_->found;
  std::fill(found.begin(), found.end(), SnapshotSums{});
  team.run(threads, [&](int id) {
    auto& share = space_->shares[id];
    Array<int64_t>& dots = share.dots;
    Array<Word>& gamma = share.gamma;
    int64_t* const total = share.totals.data();
    std::fill_n(total, outputs * padded_, 0);
    const Part mine(blocks(), 1, threads, id);
    for (int64_t block = mine.begin; block < mine.end; ++block) {
      const int64_t first = block * block_rows_;
      const int count = static_cast<int>(std::min(block_rows_, problem_.rows - first));
      IntegerRows data = rows(first, count);
      Ahead ahead(data.data + block_rows_ * data_.stride, data_.stride, block_rows_, 0,
                  data_.stride);
      data.ahead = &ahead;
      if (moved) {
        forward(data, {offsets_.data(), padded_, options_.word_bits}, outputs, 0, stored_,
                dots.data(), stride);
      } else {
        std::fill_n(dots.data(), outputs * stride, 0);
      }
      for (int at = 0; at < count; at += kRowBlock) {
        const SnapshotSums part = kernels_.snapshot(
            spec, dots.data() + at, stride, std::min(kRowBlock, count - at), state(first + at),
            share.derivatives.data(), gamma.data() + at, stride);
        found[block].loss += part.loss;
        found[block].rest += part.rest;
        found[block].largest = std::max(found[block].largest, part.largest);
      }
      for (int o = 0; o < outputs; ++o) {
        std::fill_n(gamma.data() + o * stride + count, 4, Word{0});
      }
      backward(data, {gamma.data(), stride, options_.word_bits}, outputs, 0, stored_,
               share.sums.data());
      for (int64_t i = 0; i < outputs * padded_; ++i) {
        total[i] += static_cast<int64_t>(share.sums[i]);
      }
    }
  });
  Found all;
  for (const SnapshotSums& part : found) {
    all.loss += part.loss;
    all.rest += part.rest;
    all.largest = std::max(all.largest, part.largest);
  }
  const double unit = spec.quantum * data_.scale;
  for (int o = 0; o < outputs; ++o) {
    for (int64_t j = 0; j < columns_; ++j) {
      int64_t total = 0;
      for (int id = 0; id < threads; ++id) total += space_->shares[id].totals[o * padded_ + j];
      const int64_t at = o * columns_ + j;
      const double change = unit * static_cast<double>(total), before = gradient_[at];
      const double sum = before + change, part = sum - before;
      gradient_low_[at] += (before - (sum - part)) + (change - part);
      gradient_[at] = sum;
    }
  }
  return all;
}

template <class Word, class Sum>
OffsetScale::Gradient IntegerSolver<Word, Sum>::gradient_norms() const {
  double squares = 0, largest = 0;
  for (int o = 0; o < problem_.outputs; ++o) {
    for (int64_t j = 0; j < columns_; ++j) {
      const int64_t at = o * columns_ + j;
      const double g = gradient_[at] + gradient_low_[at] + problem_.l2[j] * center_[at];
      squares += g * g;
      largest = std::max(largest, std::fabs(g));
    }
  }
  return {std::sqrt(squares), largest};
}

template <class Word, class Sum>
void IntegerSolver<Word, Sum>::measure() {
  measurement_.gradient_norm = gradient_norms().norm;
  for (int o = 0; o < problem_.outputs; ++o) {
    for (int64_t j = 0; j < columns_; ++j) {
      const double w = center_[o * columns_ + j];
      measurement_.loss += 0.5 * problem_.l2[j] * w * w;
    }
  }
}

template class IntegerSolver<int8_t, int32_t>;
template class IntegerSolver<int16_t, double>;

}  // namespace quant_ops::linear
