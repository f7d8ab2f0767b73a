#include <vector>

#include "../core/scaled_integer_scales.h"
#include "kernel_helpers.h"

namespace quant_ops {
namespace {

class ScaledIntegerKernel : public tensorflow::OpKernel {
 public:
  explicit ScaledIntegerKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_attributes(context, &spec_);
    if (!context->status().ok()) return;
    OP_REQUIRES_OK(context, context->GetAttr("per_axis", &per_axis_));
    OP_REQUIRES_OK(context, context->GetAttr("axis", &axis_));
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
    int64_t inner = 1;
    OP_REQUIRES_OK(context, check_axis(x, context->input(1), &inner));
    std::vector<double> scales;
    OP_REQUIRES_OK(context, read_scales(context->input(1), &scales));
    const CarrierType type = carrier_type(x.dtype());
    const ScaleTable table(spec, type, carrier_type(context->input(1).dtype()), scales, inner);
    spec.scales = table.scales();
    tensorflow::Tensor* result = nullptr;
    OP_REQUIRES_OK(context,
                   context->forward_input_or_allocate_output({0}, 0, x.shape(), &result));
    // Cycles per element on one AVX-512 core.
    const int64_t cycles = spec.rounding == Rounding::kStochastic ? 3 : 2;
    const void* in = x.data();
    void* out = result->data();
    shard(context, x.NumElements(), cycles, [&](int64_t begin, int64_t end) {
      scaled_integer(spec, type, in, out, begin, end);
    });
  }

  // Element i of x belongs to scale (i / inner) % scale.NumElements().
  absl::Status check_axis(const tensorflow::Tensor& x, const tensorflow::Tensor& scale,
                          int64_t* inner) const {
    if (!per_axis_) {
      if (scale.dims() == 0) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat(
          "scale must be a scalar when axis is None, received ", scale.shape().DebugString()));
    }
    const int axis = axis_ < 0 ? axis_ + x.dims() : axis_;
    if (axis < 0 || axis >= x.dims()) {
      return absl::InvalidArgumentError(absl::StrCat("axis must be in [", -x.dims(), ", ", x.dims(),
                                                     ") for this x, received ", axis_));
    }
    if (scale.dims() != 1 || scale.dim_size(0) != x.dim_size(axis)) {
      return absl::InvalidArgumentError(
          absl::StrCat("scale must have one value for each index along axis ", axis, " of x, ",
                       x.dim_size(axis), " of them, received ", scale.shape().DebugString()));
    }
    for (int i = axis + 1; i < x.dims(); ++i) *inner *= x.dim_size(i);
    return absl::OkStatus();
  }

  static absl::Status read_scales(const tensorflow::Tensor& scale, std::vector<double>* scales) {
    scales->reserve(scale.NumElements());
    for (int64_t i = 0; i < scale.NumElements(); ++i) {
      const double value = read_element(carrier_type(scale.dtype()), scale.data(), i);
      if (!is_valid_scale(value)) {
        return absl::InvalidArgumentError(
            absl::StrCat("scale must be finite and not negative, received ", value, " at ", i));
      }
      scales->push_back(value);
    }
    return absl::OkStatus();
  }

  ScaledIntegerSpec spec_;
  bool per_axis_ = false;
  int axis_ = 0;
};

#define REGISTER_CPU_KERNEL(T)                                                \
  REGISTER_KERNEL_BUILDER(                                                    \
      Name("QuantOpsScaledInteger").Device(tensorflow::DEVICE_CPU).TypeConstraint<T>("T"), \
      ScaledIntegerKernel);
REGISTER_CPU_KERNEL(Eigen::half)
REGISTER_CPU_KERNEL(tensorflow::bfloat16)
REGISTER_CPU_KERNEL(float)
REGISTER_CPU_KERNEL(double)
#undef REGISTER_CPU_KERNEL

}  // namespace
}  // namespace quant_ops
