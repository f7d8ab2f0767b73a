// Ranges and strings are those of the Python functions, which document them.
#include "op_helpers.h"

namespace quant_ops {
namespace {

REGISTER_OP("QuantOpsMinifloat")
    .Input("x: T")
    .Input("seed: int64")
    .Input("counter: int64")
    .Output("quantized: T")
    .Attr(kTypes)
    .Attr("mantissa_bits: int >= 0")
    .Attr("min_exponent: int")
    .Attr("max_significand: int >= 1")
    .Attr("max_exponent: int")
    .Attr("subnormals: bool")
    .Attr("odd_bias: bool")
    .Attr("signed_zero: bool")
    .Attr(kRounding)
    .Attr("overflow: {'saturate', 'infinity', 'nan'}")
    .SetShapeFn(scalars_and_unchanged_shape)
    .Doc(R"doc(
Rounds to floating-point numbers of mantissa_bits after the leading one.

x: the tensor to quantize.
seed: scalar; chooses the random bits of stochastic rounding.
counter: scalar; likewise, for example the training step.
quantized: of x's shape, on the grid.
mantissa_bits: 0 to 23.
min_exponent: of the smallest normal number.
max_significand: the largest number is max_significand * 2^(max_exponent - mantissa_bits).
max_exponent: of the largest number.
subnormals: whether there are numbers between 0 and 2^min_exponent.
odd_bias: with mantissa_bits = 0 a tie goes to the even exponent + bias.
signed_zero: whether a zero keeps its sign.
rounding: how to choose between two neighbours on the grid.
overflow: what becomes of values beyond the largest number.
)doc");

}  // namespace
}  // namespace quant_ops
