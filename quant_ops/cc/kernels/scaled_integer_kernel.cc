#include <memory>

#include "kernel_helpers.h"
#include "scaled_integer_arguments.h"

namespace quant_ops {
namespace {

class ScaledIntegerKernel : public tensorflow::OpKernel {
 public:
  explicit ScaledIntegerKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    arguments_.read(context);
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    catch_exceptions(context, [&] { compute(context); });
  }

 private:
  void compute(tensorflow::OpKernelContext* context) const {
    const tensorflow::Tensor& x = context->input(0);
    ScaledIntegerSpec spec;
    std::unique_ptr<ScaleTable> table;
    arguments_.read(context, x, 1, &spec, &table);
    if (!context->status().ok()) return;
    quantize(context, x.NumElements(), cycles_of(spec.rounding),
             [&](CarrierType type, const void* in, void* out, int64_t begin, int64_t end) {
               scaled_integer(spec, type, in, out, begin, end);
             });
  }

  ScaledIntegerArguments arguments_;
};

QUANT_OPS_REGISTER_KERNEL("QuantOpsScaledInteger", ScaledIntegerKernel)

}  // namespace
}  // namespace quant_ops
