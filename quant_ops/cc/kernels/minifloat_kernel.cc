#include "kernel_helpers.h"

namespace quant_ops {
namespace {

class MinifloatKernel : public tensorflow::OpKernel {
 public:
  explicit MinifloatKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_rounding(context, &spec_.rounding);
    if (!context->status().ok()) return;
    read_overflow(context, &spec_.overflow);
    if (!context->status().ok()) return;
    read_minifloat(context, &spec_);
    if (!context->status().ok()) return;
    OP_REQUIRES_OK(context, context->GetAttr("subnormals", &spec_.subnormals));
    OP_REQUIRES_OK(context, context->GetAttr("odd_bias", &spec_.odd_bias));
    OP_REQUIRES_OK(context, context->GetAttr("signed_zero", &spec_.signed_zero));
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
