// Ranges and strings are those of the Python functions, which document them.
#include "op_helpers.h"

namespace quant_ops {
namespace {

REGISTER_OP("QuantOpsBinary")
    .Input("x: T")
    .Input("level: T")
    .Input("seed: int64")
    .Input("counter: int64")
    .Output("quantized: T")
    .Attr(kTypes)
    .Attr("rounding: {'nearest_up', 'stochastic'}")
    .SetShapeFn(scalars_and_unchanged_shape)
    .Doc(R"doc(
Rounds to level or -level.

x: the tensor to quantize.
level: scalar, positive.
seed: scalar; chooses the random bits of stochastic rounding.
counter: scalar; likewise, for example the training step.
quantized: of x's shape.
rounding: to the nearer one, 0 to level; or with a probability linear in x.
)doc");

REGISTER_OP("QuantOpsTernary")
    .Input("x: T")
    .Input("level: T")
    .Input("threshold: double")
    .Output("quantized: T")
    .Attr(kTypes)
    .SetShapeFn(scalars_and_unchanged_shape)
    .Doc(R"doc(
Rounds to level or -level what is beyond the threshold, else to 0.

x: the tensor to quantize.
level: scalar, positive.
threshold: scalar, not negative.
quantized: of x's shape.
)doc");

REGISTER_OP("QuantOpsSparse")
    .Input("x: T")
    .Input("threshold: double")
    .Output("quantized: T")
    .Attr(kTypes)
    .SetShapeFn(scalars_and_unchanged_shape)
    .Doc(R"doc(
Keeps what reaches the threshold and clears the rest.

x: the tensor to quantize.
threshold: scalar, not negative.
quantized: of x's shape.
)doc");

}  // namespace
}  // namespace quant_ops
