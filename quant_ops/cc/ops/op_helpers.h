// What the ops' registrations share.
#ifndef QUANT_OPS_OPS_OP_HELPERS_H_
#define QUANT_OPS_OPS_OP_HELPERS_H_

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace quant_ops {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

constexpr char kTypes[] = "T: {half, bfloat16, float, double}";
constexpr char kRounding[] =
    "rounding: {'nearest_even', 'nearest_away', 'nearest_up', 'down', 'up', 'toward_zero', "
    "'stochastic'}";
constexpr char kOverflow[] = "overflow: {'saturate', 'wrap'}";

// All inputs but x are scalars; the output has the shape of x.
inline absl::Status scalars_and_unchanged_shape(InferenceContext* context) {
  ShapeHandle scalar;
  for (int i = 1; i < context->num_inputs(); ++i) {
    TF_RETURN_IF_ERROR(context->WithRank(context->input(i), 0, &scalar));
  }
  return tensorflow::shape_inference::UnchangedShape(context);
}

// The index of axis in x, of known rank.
inline absl::Status find_axis(InferenceContext* context, ShapeHandle x, int* axis) {
  TF_RETURN_IF_ERROR(context->GetAttr("axis", axis));
  const int rank = context->Rank(x);
  if (*axis < -rank || *axis >= rank) {
    return absl::InvalidArgumentError(
        absl::StrCat("axis must be in [", -rank, ", ", rank, "), received ", *axis));
  }
  if (*axis < 0) *axis += rank;
  return absl::OkStatus();
}

// x with what its scale says of its shape; the inputs `first` and on are scale, seed and counter.
inline absl::Status scaled_shape(InferenceContext* context, int first, ShapeHandle* x) {
  ShapeHandle scale, scalar;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(first + 1), 0, &scalar));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(first + 2), 0, &scalar));
  bool per_axis;
  TF_RETURN_IF_ERROR(context->GetAttr("per_axis", &per_axis));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(first), per_axis ? 1 : 0, &scale));
  if (per_axis && context->RankKnown(*x)) {
    int axis;
    TF_RETURN_IF_ERROR(find_axis(context, *x, &axis));
    DimensionHandle size;
    TF_RETURN_IF_ERROR(context->Merge(context->Dim(*x, axis), context->Dim(scale, 0), &size));
    TF_RETURN_IF_ERROR(context->ReplaceDim(*x, axis, size, x));
  }
  return absl::OkStatus();
}

}  // namespace quant_ops

#endif  // QUANT_OPS_OPS_OP_HELPERS_H_
