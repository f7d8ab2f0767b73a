#include "kernel_helpers.h"

namespace quant_ops {
namespace {

class FixedPointKernel : public tensorflow::OpKernel {
 public:
  explicit FixedPointKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_spec(context, &spec_);
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    FixedPointSpec spec = spec_;
    read_stream(context, 1, &spec.stream);
    if (!context->status().ok()) return;
    // Cycles per element on one AVX-512 core; older ones are a few times slower.
    const int64_t cycles = spec.rounding == Rounding::kStochastic ? 3 : 1;
    quantize(context, context->input(0).NumElements(), cycles,
             [&](auto... arguments) { fixed_point(spec, arguments...); });
  }

 private:
  FixedPointSpec spec_;
};

QUANT_OPS_REGISTER_KERNEL("QuantOpsFixedPoint", FixedPointKernel)

}  // namespace
}  // namespace quant_ops
