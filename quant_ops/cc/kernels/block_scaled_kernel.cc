#include "kernel_helpers.h"

namespace quant_ops {
namespace {

class BlockScaledKernel : public tensorflow::OpKernel {
 public:
  explicit BlockScaledKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_rounding(context, &spec_.element.rounding);
    if (!context->status().ok()) return;
    std::string element, scale_rounding;
    OP_REQUIRES_OK(context, context->GetAttr("element", &element));
    if (element == "integer") {
      read_integer(context, "word_bits", 2, 32, &spec_.word_bits);
    } else {
      read_minifloat(context, &spec_.element);
    }
    if (!context->status().ok()) return;
    OP_REQUIRES(context, element == "integer" || spec_.element.mantissa_bits > 0,
                absl::InvalidArgumentError("mantissa_bits of an element must be in [1, 23]"));
    OP_REQUIRES_OK(context, context->GetAttr("scale_rounding", &scale_rounding));
    constexpr const char* kScaleRoundings[] = {"floor", "ceil", "rceil", "even"};
    for (int i = 0; i < 4; ++i) {
      if (scale_rounding == kScaleRoundings[i]) {
        spec_.scale_rounding = static_cast<ScaleRounding>(i);
      }
    }
    OP_REQUIRES_OK(context, context->GetAttr("limited_scale", &spec_.limited_scale));
    OP_REQUIRES_OK(context, context->GetAttr("axis", &axis_));
    read_integer(context, "block_size", 1, INT64_MAX, &spec_.block_size);
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    const tensorflow::Tensor& x = context->input(0);
    BlockScaledSpec spec = spec_;
    read_stream(context, 1, &spec.element.stream);
    if (!context->status().ok()) return;
    OP_REQUIRES_OK(context, locate_blocks(x, &spec));
    // Cycles per element on one AVX-512 core.
    const int64_t cycles = spec.element.rounding == Rounding::kStochastic ? 4 : 3;
    quantize(context, x.NumElements() / spec.block_size, cycles * spec.block_size,
             [&](auto... arguments) { block_scaled(spec, arguments...); });
  }

 private:
  absl::Status locate_blocks(const tensorflow::Tensor& x, BlockScaledSpec* spec) const {
    const int axis = axis_ < 0 ? axis_ + x.dims() : axis_;
    if (axis < 0 || axis >= x.dims()) {
      return absl::InvalidArgumentError(absl::StrCat("axis must be in [", -x.dims(), ", ", x.dims(),
                                                     ") for this x, received ", axis_));
    }
    if (x.dim_size(axis) % spec->block_size != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("block_size must divide the size ", x.dim_size(axis), " of x along axis ",
                       axis, ", received ", spec->block_size));
    }
    for (int i = axis + 1; i < x.dims(); ++i) spec->inner *= x.dim_size(i);
    return absl::OkStatus();
  }

  BlockScaledSpec spec_;
  int axis_ = -1;
};

QUANT_OPS_REGISTER_KERNEL("QuantOpsBlockScaled", BlockScaledKernel)

}  // namespace
}  // namespace quant_ops
