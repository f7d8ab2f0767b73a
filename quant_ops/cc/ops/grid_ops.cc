// Ranges and strings are those of the Python functions, which document them.
#include "op_helpers.h"

namespace quant_ops {
namespace {

absl::Status scaled_integer_shape(InferenceContext* context) {
  ShapeHandle x = context->input(0);
  TF_RETURN_IF_ERROR(scaled_shape(context, 1, &x));
  context->set_output(0, x);
  return absl::OkStatus();
}

REGISTER_OP("QuantOpsFixedPoint")
    .Input("x: T")
    .Input("seed: int64")
    .Input("counter: int64")
    .Output("quantized: T")
    .Attr(kTypes)
    .Attr("word_bits: int >= 1")
    .Attr("frac_bits: int")
    .Attr("signed: bool")
    .Attr(kRounding)
    .Attr(kOverflow)
    .SetShapeFn(scalars_and_unchanged_shape)
    .Doc(R"doc(
Rounds to multiples of 2^-frac_bits that fit a word of word_bits bits.

x: the tensor to quantize.
seed: scalar; chooses the random bits of stochastic rounding.
counter: scalar; likewise, for example the training step.
quantized: of x's shape, on the grid.
word_bits: 1 to 64.
frac_bits: -512 to 512.
signed: two's complement, else from 0.
rounding: how to choose between two neighbours on the grid.
overflow: what becomes of values outside the word.
)doc");

REGISTER_OP("QuantOpsScaledInteger")
    .Input("x: T")
    .Input("scale: Tscale")
    .Input("seed: int64")
    .Input("counter: int64")
    .Output("quantized: T")
    .Attr(kTypes)
    .Attr("Tscale: {half, bfloat16, float, double}")
    .Attr("word_bits: int >= 1")
    .Attr("per_axis: bool")
    .Attr("axis: int")
    .Attr(kRounding)
    .Attr(kOverflow)
    .SetShapeFn(scaled_integer_shape)
    .Doc(R"doc(
Rounds to multiples of a run-time scale that fit a word of word_bits bits.

x: the tensor to quantize.
scale: finite, not negative; a scalar, or with per_axis one value for each index along axis.
seed: scalar; chooses the random bits of stochastic rounding.
counter: scalar; likewise, for example the training step.
quantized: of x's shape, on the grid; 0 where scale is 0.
word_bits: 1 to 64.
per_axis: whether scale varies along axis.
axis: of x; negative counts from the end.
rounding: how to choose between two neighbours on the grid.
overflow: what becomes of values outside the word.
)doc");

}  // namespace
}  // namespace quant_ops
