// The ops' interfaces. Ranges and strings are those of the Python functions, which document them.
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace quant_ops {
namespace {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// Seed and counter are the inputs `first` and `first + 1`.
absl::Status check_stream(InferenceContext* context, int first) {
  ShapeHandle scalar;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(first), 0, &scalar));
  return context->WithRank(context->input(first + 1), 0, &scalar);
}

absl::Status fixed_point_shape(InferenceContext* context) {
  TF_RETURN_IF_ERROR(check_stream(context, 1));
  return tensorflow::shape_inference::UnchangedShape(context);
}

absl::Status scaled_integer_shape(InferenceContext* context) {
  TF_RETURN_IF_ERROR(check_stream(context, 2));
  ShapeHandle x = context->input(0);
  ShapeHandle scale;
  bool per_axis;
  TF_RETURN_IF_ERROR(context->GetAttr("per_axis", &per_axis));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(1), per_axis ? 1 : 0, &scale));
  if (per_axis && context->RankKnown(x)) {
    int axis;
    TF_RETURN_IF_ERROR(context->GetAttr("axis", &axis));
    const int rank = context->Rank(x);
    if (axis < -rank || axis >= rank) {
      return absl::InvalidArgumentError(
          absl::StrCat("axis must be in [", -rank, ", ", rank, "), received ", axis));
    }
    DimensionHandle size;
    TF_RETURN_IF_ERROR(context->Merge(context->Dim(x, axis), context->Dim(scale, 0), &size));
    TF_RETURN_IF_ERROR(context->ReplaceDim(x, axis, size, &x));
  }
  context->set_output(0, x);
  return absl::OkStatus();
}

constexpr char kRounding[] =
    "rounding: {'nearest_even', 'nearest_away', 'nearest_up', 'down', 'up', 'toward_zero', "
    "'stochastic'}";
constexpr char kOverflow[] = "overflow: {'saturate', 'wrap'}";

REGISTER_OP("QuantOpsFixedPoint")
    .Input("x: T")
    .Input("seed: int64")
    .Input("counter: int64")
    .Output("quantized: T")
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("word_bits: int >= 1")
    .Attr("frac_bits: int")
    .Attr("signed: bool")
    .Attr(kRounding)
    .Attr(kOverflow)
    .SetShapeFn(fixed_point_shape)
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
    .Attr("T: {half, bfloat16, float, double}")
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
