// Random linear models, from ordinary to extreme, and what to do with them.
#ifndef QUANT_OPS_TESTS_LINEAR_PROBLEM_H_
#define QUANT_OPS_TESTS_LINEAR_PROBLEM_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "../linear/solver.h"
#include "random.h"

namespace quant_ops::linear {

// From [-1, 1).
inline double fraction(Random& random) {
  return static_cast<double>(static_cast<int64_t>(random.bits()) >> 11) * 0x1p-52;
}

// `tame`: data of ordinary sizes and a rate at which everything has to stay finite.
struct RandomModel {
  bool tame;
  Problem problem;
  Features features;
  SolverOptions options;
  std::vector<double> initial, scales, centres, targets, weights;
  std::vector<unsigned char> memory;
  std::vector<EpochOptions> epochs;
  int threads;

  explicit RandomModel(Random& random) : tame(random.one_in(2)) {
    draw_problem(random);
    draw_features(random);
    draw_options(random);
    draw_epochs(random);
  }
  RandomModel(const RandomModel&) = delete;

  bool is_integer() const {
    return options.algorithm != Algorithm::kSvrg && options.algorithm != Algorithm::kSgd;
  }
  Data data() const { return {features, {targets.data(), weights.data()}, nullptr}; }
  int64_t count() const { return problem.outputs * problem.columns; }

 private:
  double power(Random& random, int least, int most) const {
    return std::pow(10.0, static_cast<double>(random.between(least, most)));
  }

  void draw_problem(Random& random) {
    problem.loss = random.pick({Loss::kSquared, Loss::kLogistic, Loss::kSoftmax});
    if (problem.loss == Loss::kSoftmax) problem.outputs = static_cast<int>(random.edgy(1, 12));
    problem.rows = random.one_in(4) ? random.edgy(1, 300) : random.between(1, 40);
    features.columns = random.one_in(4) ? random.edgy(1, 300) : random.between(1, 140);
    features.has_intercept = random.one_in(2);
    problem.columns = features.columns + (features.has_intercept ? 1 : 0);
    problem.batch_size = std::min(problem.rows, random.edgy(1, 70));
    if (random.one_in(4)) problem.batch_size = problem.rows;
    problem.seed = random.bits();
    const double size = tame || random.one_in(2) ? 1 : power(random, -30, 30);
    double total = 0;
    for (int64_t i = 0; i < problem.rows; ++i) {
      double target = size * fraction(random);
      if (problem.loss == Loss::kLogistic) target = random.edgy(0, 4) / 4.0;
      if (problem.loss == Loss::kSoftmax) target = random.between(0, problem.outputs - 1);
      targets.push_back(target);
      weights.push_back(random.one_in(8) && i > 0 ? 0.0 : 1.5 + fraction(random));
      total += weights.back();
    }
    for (double& weight : weights) weight /= total;
    const double l2 = random.one_in(2) ? 0 : power(random, -4, tame ? -1 : 12);
    for (int64_t j = 0; j < problem.columns; ++j) {
      problem.l2.push_back(j < features.columns && !random.one_in(4) ? l2 : 0.0);
    }
  }

  template <class T>
  void write(int64_t row, int64_t column, double value) {
    const T converted = static_cast<T>(value);
    std::memcpy(memory.data() + place(row, column), &converted, sizeof(T));
  }
  int64_t place(int64_t row, int64_t column) const {
    const char* const begin = reinterpret_cast<const char*>(memory.data());
    return static_cast<const char*>(features.data) - begin + row * features.row_stride +
           column * features.column_stride;
  }

  // Of its exact size, so that a byte too far is found; rows or columns first, or rows backwards.
  void draw_memory(Random& random, int64_t width) {
    memory.resize(problem.rows * features.columns * width);
    features.data = memory.data();
    features.row_stride = features.columns * width;
    features.column_stride = width;
    if (random.one_in(4)) {
      features.row_stride = width;
      features.column_stride = problem.rows * width;
    } else if (random.one_in(4)) {
      features.data = memory.data() + (problem.rows - 1) * features.row_stride;
      features.row_stride = -features.row_stride;
    }
  }

  void draw_features(Random& random) {
    features.type = random.pick({ElementType::kUint8, ElementType::kInt16, ElementType::kFloat,
                                 ElementType::kFloat, ElementType::kInt64, ElementType::kDouble});
    const ElementType type = features.type;
    const bool is_integer = type != ElementType::kFloat && type != ElementType::kDouble;
    draw_memory(random, type == ElementType::kUint8   ? 1
                        : type == ElementType::kInt16 ? 2
                        : type == ElementType::kFloat ? 4
                                                      : 8);
    const bool positive = random.one_in(3), constant = !tame && random.one_in(8);
    const uint64_t sparsity = random.pick({1, 1, 1, 10, 1000});
    const double size = is_integer ? 255 : tame || random.one_in(2) ? 1 : power(random, -36, 36);
    for (int64_t i = 0; i < problem.rows; ++i) {
      for (int64_t j = 0; j < features.columns; ++j) {
        double value = constant ? 0.75 : size * fraction(random);
        if (!random.one_in(sparsity)) value = 0;
        if (!tame && random.one_in(1000)) value *= 100;
        if (positive || type == ElementType::kUint8) value = std::fabs(value);
        if (type == ElementType::kUint8) {
          write<uint8_t>(i, j, std::min(value, 255.0));
        } else if (type == ElementType::kInt16) {
          write<int16_t>(i, j, value);
        } else if (type == ElementType::kInt64) {
          write<int64_t>(i, j, value);
        } else if (type == ElementType::kFloat) {
          write<float>(i, j, value);
        } else {
          write<double>(i, j, value);
        }
      }
    }
    for (int64_t j = 0; j < features.columns && random.one_in(4); ++j) {
      scales.resize(features.columns, power(random, tame ? 0 : -6, tame ? 0 : 6));
      scales[j] *= 1.25 + fraction(random);
    }
    if (!scales.empty()) features.column_scales = scales.data();
    if (random.one_in(4)) {
      for (int64_t j = 0; j < features.columns; ++j) centres.push_back(size * fraction(random));
      features.column_centres = centres.data();
    }
  }

  void draw_options(Random& random) {
    options.algorithm = random.pick({Algorithm::kHalp, Algorithm::kHalp, Algorithm::kHalp,
                                     Algorithm::kLowPrecisionSvrg, Algorithm::kLowPrecisionSgd,
                                     Algorithm::kSvrg, Algorithm::kSgd});
    options.word_bits = random.pick({8, 8, 16});
    options.data_bits = random.pick({4, 8, 8, 16});
    options.weight_range = power(random, -3, 3);
    options.double_precision = random.one_in(2);
    threads = static_cast<int>(random.between(1, 4));
    if (!random.one_in(3)) return;
    const double size = tame ? 1 : power(random, -12, 12);
    for (int64_t i = 0; i < count(); ++i) initial.push_back(size * fraction(random));
  }

  // The largest squared norm of a row bounds the curvature of every sample's loss.
  double curvature() const {
    double largest = 0, all = 0;
    for (int64_t i = 0; i < problem.rows; ++i) {
      double square = 0;
      for (int64_t j = 0; j < features.columns; ++j) {
        const double centre = centres.empty() ? 0 : centres[j];
        const double x = (element(i, j) - centre) * (scales.empty() ? 1 : scales[j]);
        square += x * x;
      }
      largest = std::max(largest, square);
      all += square;
    }
    const double intercept = all / static_cast<double>(problem.rows * features.columns);
    return largest + (intercept > 0 ? intercept : 1);
  }

  double element(int64_t row, int64_t column) const {
    const int64_t at = place(row, column);
    switch (features.type) {
      case ElementType::kUint8:
        return read<uint8_t>(at);
      case ElementType::kInt16:
        return read<int16_t>(at);
      case ElementType::kInt64:
        return read<int64_t>(at);
      case ElementType::kFloat:
        return read<float>(at);
      default:
        return read<double>(at);
    }
  }
  template <class T>
  double read(int64_t at) const {
    T value;
    std::memcpy(&value, memory.data() + at, sizeof(T));
    return static_cast<double>(value);
  }

  void draw_epochs(Random& random) {
    const int64_t number = random.between(1, 5);
    // Weights are up to 2.5 times their mean, and up to batch_size times that of a short batch.
    const double most =
        0.2 / (curvature() + *std::max_element(problem.l2.begin(), problem.l2.end()));
    for (int64_t k = 0; k < number; ++k) {
      EpochOptions epoch;
      epoch.learning_rate = most * (tame ? 1 : power(random, -6, 6));
      epoch.learning_rate = std::clamp(epoch.learning_rate, 1e-300, 1e300);
      epoch.steps = random.edgy(0, 12);
      epoch.threads = static_cast<int>(random.between(1, 4));
      if (!tame && random.one_in(3)) epoch.mu = power(random, -6, 6);
      epochs.push_back(epoch);
    }
  }
};

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_TESTS_LINEAR_PROBLEM_H_
