// Ranges and strings are those of the Python functions, which document them.
#include "op_helpers.h"

namespace quant_ops {
namespace {

// The one shape of the inputs 0, 1 and 2.
absl::Status shape_of_three(InferenceContext* context, ShapeHandle* x) {
  *x = context->input(0);
  for (int i = 1; i < 3; ++i) {
    TF_RETURN_IF_ERROR(context->Merge(*x, context->input(i), x));
  }
  return absl::OkStatus();
}

absl::Status move_offset_shape(InferenceContext* context) {
  ShapeHandle x;
  TF_RETURN_IF_ERROR(shape_of_three(context, &x));
  TF_RETURN_IF_ERROR(scaled_shape(context, 3, &x));
  context->set_output(0, x);
  context->set_output(1, x);
  return absl::OkStatus();
}

absl::Status has_moved_shape(InferenceContext* context) {
  ShapeHandle x;
  TF_RETURN_IF_ERROR(shape_of_three(context, &x));
  context->set_output(0, context->Scalar());
  return absl::OkStatus();
}

absl::Status move_entry_shape(InferenceContext* context) {
  ShapeHandle x, scalar;
  TF_RETURN_IF_ERROR(shape_of_three(context, &x));
  for (int i = 3; i < 6; ++i) {
    TF_RETURN_IF_ERROR(context->WithRank(context->input(i), 0, &scalar));
  }
  context->set_output(0, x);
  context->set_output(1, x);
  context->set_output(2, context->Scalar());
  return absl::OkStatus();
}

REGISTER_OP("QuantOpsMoveOffset")
    .Input("weight: T")
    .Input("center: T")
    .Input("offset: T")
    .Input("scale: Tscale")
    .Input("seed: int64")
    .Input("counter: int64")
    .Output("new_offset: T")
    .Output("new_weight: T")
    .Attr(kTypes)
    .Attr("Tscale: {half, bfloat16, float, double}")
    .Attr("word_bits: int >= 1")
    .Attr("per_axis: bool")
    .Attr("axis: int")
    .Attr(kRounding)
    .Attr(kOverflow)
    .SetShapeFn(move_offset_shape)
    .Doc(R"doc(
Moves an offset from a center by as much as its weight has moved, and rounds it.

weight: center + offset, and what an optimizer has added.
center: of the shape of weight.
offset: of the shape of weight.
scale: as in QuantOpsScaledInteger, whose arguments are the others, too.
seed: scalar.
counter: scalar.
new_offset: offset + (weight - (center + offset)), rounded.
new_weight: center + new_offset.
word_bits: 1 to 64.
per_axis: whether scale varies along axis.
axis: of weight; negative counts from the end.
rounding: how to choose between two neighbours on the grid.
overflow: what becomes of values outside the word.
)doc");

REGISTER_OP("QuantOpsHasMoved")
    .Input("weight: T")
    .Input("center: T")
    .Input("offset: T")
    .Output("has_moved: bool")
    .Attr(kTypes)
    .SetShapeFn(has_moved_shape)
    .Doc(R"doc(
Whether a weight is no longer center + offset.

weight: a tensor.
center: of the shape of weight.
offset: of the shape of weight.
has_moved: scalar; whether weight != center + offset anywhere.
)doc");

REGISTER_OP("QuantOpsMoveEntry")
    .Input("gradient: T")
    .Input("entry: T")
    .Input("mean: T")
    .Input("coefficient: T")
    .Input("seed: int64")
    .Input("counter: int64")
    .Output("estimate: T")
    .Output("new_entry: T")
    .Output("is_finite: bool")
    .Attr(kTypes)
    .Attr("word_bits: int >= 2")
    .Attr(kRounding)
    .SetShapeFn(move_entry_shape)
    .Doc(R"doc(
A variance-reduced gradient, and the new entry of the table of gradients.

gradient: of a minibatch.
entry: of the minibatch in the table, of the shape of gradient.
mean: of the table, of the shape of gradient.
coefficient: a, scalar.
seed: scalar; chooses the random bits of stochastic rounding.
counter: scalar; likewise, for example the training step.
estimate: (gradient - a entry) + a mean.
new_entry: entry + (gradient - entry) rounded to a signed integer of word_bits bits times a scale,
  the largest finite difference / the largest integer.
is_finite: scalar; whether all numbers of the gradient are finite.
word_bits: 2 to 64.
rounding: how to choose between two neighbours on the grid.
)doc");

}  // namespace
}  // namespace quant_ops
