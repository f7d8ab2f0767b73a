#include <cstdint>

#include "absl/base/casts.h"
#include "kernel_helpers.h"

namespace quant_ops {
namespace {

// Cycles per element on one AVX-512 core; a stochastic binary divides in double.
constexpr int64_t kCycles = 1, kStochasticCycles = 6;

double read_level(tensorflow::OpKernelContext* context, int index) {
  const double level = read_scalar(context, index, "level");
  // By its bits, since a thread of TensorFlow's takes a subnormal for zero.
  const int64_t bits = absl::bit_cast<int64_t>(level);
  constexpr int64_t kInfinity = int64_t{0x7ff} << 52;
  if (context->status().ok() && !(0 < bits && bits < kInfinity)) {
    context->CtxFailure(absl::InvalidArgumentError(
        absl::StrCat("level must be positive and finite, received ", level)));
  }
  return level;
}

double read_threshold(tensorflow::OpKernelContext* context, int index) {
  const double threshold = read_scalar(context, index, "threshold");
  if (context->status().ok() && !is_valid_scale(threshold)) {
    context->CtxFailure(absl::InvalidArgumentError(
        absl::StrCat("threshold must be finite and not negative, received ", threshold)));
  }
  return threshold;
}

void run(tensorflow::OpKernelContext* context, const LevelSpec& spec) {
  const bool stochastic = spec.rounding == Rounding::kStochastic;
  quantize(context, context->input(0).NumElements(), stochastic ? kStochasticCycles : kCycles,
           [&](auto... arguments) { level(spec, arguments...); });
}

class BinaryKernel : public tensorflow::OpKernel {
 public:
  explicit BinaryKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_rounding(context, &rounding_);
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    LevelSpec spec;
    spec.rounding = rounding_;
    spec.level = read_level(context, 1);
    if (!context->status().ok()) return;
    read_stream(context, 2, &spec.stream);
    if (context->status().ok()) run(context, spec);
  }

 private:
  Rounding rounding_ = Rounding::kNearestUp;
};

class TernaryKernel : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(tensorflow::OpKernelContext* context) override {
    LevelSpec spec;
    spec.kind = LevelKind::kTernary;
    spec.level = read_level(context, 1);
    if (!context->status().ok()) return;
    spec.threshold = read_threshold(context, 2);
    if (context->status().ok()) run(context, spec);
  }
};

class SparseKernel : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(tensorflow::OpKernelContext* context) override {
    LevelSpec spec;
    spec.kind = LevelKind::kSparse;
    spec.threshold = read_threshold(context, 1);
    if (context->status().ok()) run(context, spec);
  }
};

QUANT_OPS_REGISTER_KERNEL("QuantOpsBinary", BinaryKernel)
QUANT_OPS_REGISTER_KERNEL("QuantOpsTernary", TernaryKernel)
QUANT_OPS_REGISTER_KERNEL("QuantOpsSparse", SparseKernel)

}  // namespace
}  // namespace quant_ops
