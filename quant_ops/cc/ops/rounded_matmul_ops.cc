// Ranges and strings are those of the Python functions, which document them.
#include "op_helpers.h"

namespace quant_ops {
namespace {

// a [batch, rows, terms], b [batch, terms, columns].
absl::Status product_shape(InferenceContext* context) {
  ShapeHandle a, b, scalar;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 3, &a));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(1), 3, &b));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(2), 0, &scalar));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(3), 0, &scalar));
  DimensionHandle batch, terms;
  TF_RETURN_IF_ERROR(context->Merge(context->Dim(a, 0), context->Dim(b, 0), &batch));
  TF_RETURN_IF_ERROR(context->Merge(context->Dim(a, 2), context->Dim(b, 1), &terms));
  context->set_output(0, context->MakeShape({batch, context->Dim(a, 1), context->Dim(b, 2)}));
  return absl::OkStatus();
}

REGISTER_OP("QuantOpsMatmulFixedPoint")
    .Input("a: float")
    .Input("b: float")
    .Input("seed: int64")
    .Input("counter: int64")
    .Output("product: float")
    .Attr("every: int >= 1")
    .Attr("word_bits: int >= 1")
    .Attr("frac_bits: int")
    .Attr("signed: bool")
    .Attr(kRounding)
    .Attr("overflow: {'saturate', 'wrap'}")
    .SetShapeFn(product_shape)
    .Doc(R"doc(
Matrix products whose running sum is rounded to fixed point.

a: [batch, rows, terms].
b: [batch, terms, columns].
seed: scalar; chooses the random bits of stochastic rounding.
counter: scalar; likewise, for example the training step.
product: [batch, rows, columns].
every: the number of terms that are added between two roundings.
word_bits: as those of QuantOpsFixedPoint, like the attributes that follow.
)doc");

REGISTER_OP("QuantOpsMatmulMinifloat")
    .Input("a: float")
    .Input("b: float")
    .Input("seed: int64")
    .Input("counter: int64")
    .Output("product: float")
    .Attr("every: int >= 1")
    .Attr("mantissa_bits: int >= 0")
    .Attr("min_exponent: int")
    .Attr("max_significand: int >= 1")
    .Attr("max_exponent: int")
    .Attr("subnormals: bool")
    .Attr("odd_bias: bool")
    .Attr("signed_zero: bool")
    .Attr(kRounding)
    .Attr("overflow: {'saturate', 'infinity', 'nan'}")
    .SetShapeFn(product_shape)
    .Doc(R"doc(
Matrix products whose running sum is rounded to small floating-point numbers.

a: [batch, rows, terms].
b: [batch, terms, columns].
seed: scalar; chooses the random bits of stochastic rounding.
counter: scalar; likewise, for example the training step.
product: [batch, rows, columns].
every: the number of terms that are added between two roundings.
mantissa_bits: as those of QuantOpsMinifloat, like the attributes that follow.
)doc");

}  // namespace
}  // namespace quant_ops
