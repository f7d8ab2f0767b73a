#include "kernel_helpers.h"

namespace quant_ops {
namespace {

class FixedPointKernel : public tensorflow::OpKernel {
 public:
  explicit FixedPointKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_attributes(context, &spec_);
    if (!context->status().ok()) return;
    OP_REQUIRES_OK(context, context->GetAttr("frac_bits", &spec_.frac_bits));
    OP_REQUIRES(context, -512 <= spec_.frac_bits && spec_.frac_bits <= 512,
                absl::InvalidArgumentError(
                    absl::StrCat("frac_bits must be in [-512, 512], received ", spec_.frac_bits)));
    OP_REQUIRES_OK(context, context->GetAttr("signed", &spec_.is_signed));
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    const tensorflow::Tensor& x = context->input(0);
    FixedPointSpec spec = spec_;
    read_stream(context, 1, &spec.stream);
    if (!context->status().ok()) return;
    tensorflow::Tensor* result = nullptr;
    OP_REQUIRES_OK(context,
                   context->forward_input_or_allocate_output({0}, 0, x.shape(), &result));
    // Cycles per element on one AVX-512 core; older ones are a few times slower.
    const int64_t cycles = spec.rounding == Rounding::kStochastic ? 3 : 1;
    const CarrierType type = carrier_type(x.dtype());
    const void* in = x.data();
    void* out = result->data();
    shard(context, x.NumElements(), cycles, [&](int64_t begin, int64_t end) {
      fixed_point(spec, type, in, out, begin, end);
    });
  }

 private:
  FixedPointSpec spec_;
};

#define REGISTER_CPU_KERNEL(T)                                              \
  REGISTER_KERNEL_BUILDER(                                                  \
      Name("QuantOpsFixedPoint").Device(tensorflow::DEVICE_CPU).TypeConstraint<T>("T"), \
      FixedPointKernel);
REGISTER_CPU_KERNEL(Eigen::half)
REGISTER_CPU_KERNEL(tensorflow::bfloat16)
REGISTER_CPU_KERNEL(float)
REGISTER_CPU_KERNEL(double)
#undef REGISTER_CPU_KERNEL

}  // namespace
}  // namespace quant_ops
