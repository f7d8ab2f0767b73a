#include "kernel_helpers.h"

namespace quant_ops {
namespace {

class FixedPointKernel : public tensorflow::OpKernel {
 public:
  explicit FixedPointKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_attributes(context, &spec_);
    if (!context->status().ok()) return;
    read_integer(context, "frac_bits", -512, 512, &spec_.frac_bits);
    if (!context->status().ok()) return;
    OP_REQUIRES_OK(context, context->GetAttr("signed", &spec_.is_signed));
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
