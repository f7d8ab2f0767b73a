#include <memory>

#include "kernel_helpers.h"
#include "scale_input.h"

namespace quant_ops {
namespace {

class ScaledIntegerKernel : public tensorflow::OpKernel {
 public:
  explicit ScaledIntegerKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_attributes(context, &spec_);
    if (!context->status().ok()) return;
    scale_.read_attributes(context);
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    catch_exceptions(context, [&] { compute(context); });
  }

 private:
  void compute(tensorflow::OpKernelContext* context) const {
    const tensorflow::Tensor& x = context->input(0);
    ScaledIntegerSpec spec = spec_;
    read_stream(context, 2, &spec.stream);
    if (!context->status().ok()) return;
    std::unique_ptr<ScaleTable> table;
    OP_REQUIRES_OK(context, scale_.table(x, context->input(1), spec, &table));
    spec.scales = table->scales();
    quantize(context, x.NumElements(), cycles_of(spec.rounding),
             [&](CarrierType type, const void* in, void* out, int64_t begin, int64_t end) {
               scaled_integer(spec, type, in, out, begin, end);
             });
  }

  ScaledIntegerSpec spec_;
  ScaleInput scale_;
};

QUANT_OPS_REGISTER_KERNEL("QuantOpsScaledInteger", ScaledIntegerKernel)

}  // namespace
}  // namespace quant_ops
