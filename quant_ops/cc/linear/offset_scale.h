// HALP's scale and its coefficients', from what was seen in the epoch before.
#ifndef QUANT_OPS_LINEAR_OFFSET_SCALE_H_
#define QUANT_OPS_LINEAR_OFFSET_SCALE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace quant_ops::linear {

// Where the offsets are in their range.
struct OffsetFit {
  int32_t largest = 0;   // |offset|
  double saturated = 0;  // share of offsets at the ends

  bool is_crowded() const { return saturated > 0.01; }

  // The bits by which `expected` could grow within `limit`.
  static int room(double expected, int32_t limit) {
    constexpr int kMost = 4;
    int bits = 0;
    while (bits < kMost && std::ldexp(expected, bits + 1) <= limit) ++bits;
    return bits;
  }
};

// delta = box / (2^(b-1) - 1), where no offset should have to leave [-box, box].
//
// With mu, the paper's rule: box = |gradient|_2 / mu. Without, the first box is how far the largest
// element of the gradient alone can move an offset in an epoch; later ones are the largest offset
// of the epoch before, shrunk as the gradient has shrunk, with a margin, and more where offsets
// ended at the box's sides.
class OffsetScale {
 public:
  struct Gradient {
    double norm, largest;  // 2-norm, infinity-norm
  };

  // `reach`: learning rate times steps, or what the curvature leaves of it.
  double box(double mu, const Gradient& gradient, double reach) {
    if (mu > 0) return gradient.norm / mu;
    const double first = gradient.largest * reach;
    if (epochs_ == 0 || !std::isfinite(box_)) {
      box_ = first;
    } else {
      // The first steps go down the steepest directions: the others do not slow down as much.
      const double least = crowded_ ? 0.5 : epochs_ == 1 ? 0.3 : 0;
      const double change = std::clamp(gradient.norm / norm_, least, kMostGrowth);
      const double wanted = crowded_ ? 2 * box_ * change : kMargin * seen_ * change;
      box_ = std::max(wanted, first / kWidestGuess);
    }
    ++epochs_;
    norm_ = gradient.norm;
    return box_;
  }

  // During an epoch, by 2^-bits.
  void rescale(int bits) { box_ = std::ldexp(box_, -bits); }

  // After an epoch.
  void saw(const OffsetFit& fit, double scale) {
    seen_ = fit.largest * scale;
    crowded_ = fit.is_crowded();
  }

 private:
  static constexpr double kMargin = 1.25, kMostGrowth = 2, kWidestGuess = 64;

  double box_ = 0, norm_ = 0, seen_ = 0;
  bool crowded_ = false;
  int64_t epochs_ = 0;
};

// The coefficients' unit is 2^-exponent steps of the offsets for each step of the data: as fine as
// the largest one allows. Before any was seen it is, for data of 8 bits, the paper's 2^-word_bits.
class CoefficientScale {
 public:
  CoefficientScale(int word_bits, int data_bits, int fraction_bits)
      : finest_(fraction_bits - 2), exponent_(std::min(word_bits + data_bits - 8, finest_)) {}

  int exponent() const { return exponent_; }

  // The offsets' steps have become 2^bits times as fine.
  void rescale(int bits) { exponent_ = std::clamp(exponent_ - bits, 0, finest_); }

  // The largest |coefficient| before rounding.
  void saw(double largest, int32_t limit) {
    if (!(largest > 0)) return;
    const double room = std::log2(limit / (kMargin * largest));
    const double exponent = std::floor(exponent_ + std::min(room, 64.0));
    exponent_ = static_cast<int>(std::clamp(exponent, 0.0, double(finest_)));
  }

 private:
  static constexpr double kMargin = 1.5;

  int finest_;
  int exponent_;
};

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_OFFSET_SCALE_H_
