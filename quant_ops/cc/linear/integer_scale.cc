// The integer solver's scale: chosen before an epoch, fitted to the offsets during it.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "integer_solver.h"

namespace quant_ops::linear {
namespace {

double largest_curvature(Loss loss) {
  return loss == Loss::kSquared ? 1.0 : loss == Loss::kLogistic ? 0.25 : 0.5;
}

}  // namespace

template <class Word, class Sum>
double IntegerSolver<Word, Sum>::choose_scale(const EpochOptions& options) {
  if (!is_centered()) return options_.weight_range / (limit_ + 1);
  double reach = options.learning_rate * static_cast<double>(options.steps);
  const double curvature = largest_curvature(problem_.loss) * data_.mean_square_norm / columns_;
  if (curvature > 0) reach = std::min(reach, 2 / curvature);
  return offset_scale_.box(options.mu, gradient_norms(), reach) / limit_;
}

// After a 64th, a 16th, a quarter and half of the epoch the scale is fitted to where the offsets
// are.
template <class Word, class Sum>
double IntegerSolver<Word, Sum>::run_with_fitted_scale(const EpochOptions& options, double scale,
                                                       Team& team) {
  int64_t done = 0;
  for (const int64_t part : {64, 16, 4, 2, 1}) {
    EpochOptions segment = options;
    segment.steps = options.steps / part - done;
    if (segment.steps == 0) continue;
    run_steps(segment, make_plan(options, scale), team);
    done += segment.steps;
    if (done < options.steps) {
      const double share = static_cast<double>(done) / static_cast<double>(options.steps);
      scale = std::ldexp(scale, -rescale_offsets(share));
    }
  }
  return scale;
}

// Moves all offsets by a number of bits, which it returns: to the left as far as they will have
// room if they grow no faster than they did, one to the right where many are at the ends.
template <class Word, class Sum>
int IntegerSolver<Word, Sum>::rescale_offsets(double share_of_epoch) {
  const OffsetFit fit = offset_fit();
  const int bits =
      fit.is_crowded() ? -1 : OffsetFit::room(1.25 * fit.largest / share_of_epoch, limit_);
  if (bits == 0) return 0;
  for (int64_t i = 0; i < offsets_.size(); ++i) {
    offsets_[i] = static_cast<Word>(std::rint(std::ldexp(double{offsets_[i]}, bits)));
  }
  coefficient_scale_.rescale(bits);
  offset_scale_.rescale(bits);
  return bits;
}

template <class Word, class Sum>
OffsetFit IntegerSolver<Word, Sum>::offset_fit() const {
  OffsetFit fit;
  int64_t saturated = 0;
  for (int64_t i = 0; i < offsets_.size(); ++i) {
    const int32_t z = std::abs(int32_t{offsets_[i]});
    fit.largest = std::max(fit.largest, z);
    saturated += z >= limit_;
  }
  fit.saturated = static_cast<double>(saturated) / static_cast<double>(center_.size());
  return fit;
}

template class IntegerSolver<int8_t, int32_t>;
template class IntegerSolver<int16_t, double>;

}  // namespace quant_ops::linear
