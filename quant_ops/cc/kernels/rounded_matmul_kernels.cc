#include "kernel_helpers.h"

namespace quant_ops {
namespace {

// Cycles for one vector of eight sums on an AVX-512 core.
int64_t cycles_to_round(const FixedPointSpec& spec) {
  return spec.rounding == Rounding::kStochastic ? 14 : 3;
}
int64_t cycles_to_round(const MinifloatSpec& spec) {
  return spec.rounding == Rounding::kStochastic ? 20 : 12;
}

template <class Spec>
class RoundedMatmulKernel : public tensorflow::OpKernel {
 public:
  explicit RoundedMatmulKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_integer(context, "every", 1, INT64_MAX, &every_);
    if (!context->status().ok()) return;
    read_spec(context, &spec_);
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    Spec spec = spec_;
    read_stream(context, 2, &spec.stream);
    if (!context->status().ok()) return;
    Product product;
    product.every = every_;
    OP_REQUIRES_OK(context, locate(context, &product));
    tensorflow::Tensor* result = nullptr;
    const tensorflow::TensorShape shape({product.batch, product.rows, product.columns});
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &result));
    product.result = result->flat<float>().data();
    constexpr int64_t kVectors = kTileRows * kTileColumns / 8;
    const int64_t cycles =
        kVectors * (product.terms + product.terms / every_ * cycles_to_round(spec)) + 1;
    shard(context, product.tiles(), cycles, [&](int64_t begin, int64_t end) {
      rounded_matmul(spec, product, begin, end);
    });
  }

 private:
  static absl::Status locate(tensorflow::OpKernelContext* context, Product* product) {
    const tensorflow::Tensor &a = context->input(0), &b = context->input(1);
    if (a.dims() != 3 || b.dims() != 3 || a.dim_size(0) != b.dim_size(0) ||
        a.dim_size(2) != b.dim_size(1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a and b must be [batch, rows, terms] and [batch, terms, columns], received ",
                       a.shape().DebugString(), " and ", b.shape().DebugString()));
    }
    product->batch = a.dim_size(0);
    product->rows = a.dim_size(1);
    product->terms = a.dim_size(2);
    product->columns = b.dim_size(2);
    product->a = a.flat<float>().data();
    product->b = b.flat<float>().data();
    return absl::OkStatus();
  }

  Spec spec_;
  int64_t every_ = 1;
};

REGISTER_KERNEL_BUILDER(Name("QuantOpsMatmulFixedPoint").Device(tensorflow::DEVICE_CPU),
                        RoundedMatmulKernel<FixedPointSpec>)
REGISTER_KERNEL_BUILDER(Name("QuantOpsMatmulMinifloat").Device(tensorflow::DEVICE_CPU),
                        RoundedMatmulKernel<MinifloatSpec>)

}  // namespace
}  // namespace quant_ops
