#include "kernel_helpers.h"

namespace quant_ops {
namespace {

class MinifloatKernel : public tensorflow::OpKernel {
 public:
  explicit MinifloatKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_spec(context, &spec_);
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    MinifloatSpec spec = spec_;
    read_stream(context, 1, &spec.stream);
    if (!context->status().ok()) return;
    // Cycles per element on one AVX-512 core.
    const int64_t cycles = spec.rounding == Rounding::kStochastic ? 3 : 1;
    quantize(context, context->input(0).NumElements(), cycles,
             [&](auto... arguments) { minifloat(spec, arguments...); });
  }

 private:
  MinifloatSpec spec_;
};

QUANT_OPS_REGISTER_KERNEL("QuantOpsMinifloat", MinifloatKernel)

}  // namespace
}  // namespace quant_ops
