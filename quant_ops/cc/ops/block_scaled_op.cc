// Ranges and strings are those of the Python functions, which document them.
#include "op_helpers.h"

namespace quant_ops {
namespace {

absl::Status block_scaled_shape(InferenceContext* context) {
  const ShapeHandle x = context->input(0);
  if (context->RankKnown(x)) {
    int axis;
    TF_RETURN_IF_ERROR(find_axis(context, x, &axis));
    int64_t block_size;
    TF_RETURN_IF_ERROR(context->GetAttr("block_size", &block_size));
    const DimensionHandle size = context->Dim(x, axis);
    if (context->ValueKnown(size) && context->Value(size) % block_size != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("block_size must divide the size ", context->Value(size), " of x along axis ",
                       axis, ", received ", block_size));
    }
  }
  return scalars_and_unchanged_shape(context);
}

REGISTER_OP("QuantOpsBlockScaled")
    .Input("x: T")
    .Input("seed: int64")
    .Input("counter: int64")
    .Output("quantized: T")
    .Attr(kTypes)
    .Attr("axis: int")
    .Attr("block_size: int >= 1")
    .Attr("element: {'integer', 'float'}")
    .Attr("word_bits: int")
    .Attr("mantissa_bits: int")
    .Attr("min_exponent: int")
    .Attr("max_significand: int")
    .Attr("max_exponent: int")
    .Attr("limited_scale: bool")
    .Attr("scale_rounding: {'floor', 'ceil', 'rceil', 'even'}")
    .Attr(kRounding)
    .SetShapeFn(block_scaled_shape)
    .Doc(R"doc(
Rounds to small numbers times a power of two that each block shares.

x: the tensor to quantize.
seed: scalar; chooses the random bits of stochastic rounding.
counter: scalar; likewise, for example the training step.
quantized: of x's shape, on the grid.
axis: of x, along which blocks lie; negative counts from the end.
block_size: elements of a block; divides the size of the axis.
element: of 2^-(word_bits - 2) times a signed integer, or a minifloat.
word_bits: of an integer element, 2 to 32; else unused.
mantissa_bits: as in QuantOpsMinifloat, at least 1; these four are unused with integers.
min_exponent: as in QuantOpsMinifloat.
max_significand: as in QuantOpsMinifloat.
max_exponent: as in QuantOpsMinifloat.
limited_scale: whether the scale's exponent stays within -127 to 127.
scale_rounding: how the scale follows from the block's largest magnitude.
rounding: how to choose between two neighbours on the grid.
)doc");

}  // namespace
}  // namespace quant_ops
