#include "op_helpers.h"

namespace quant_ops {

constexpr int kMeasurements = 6;

REGISTER_OP("QuantOpsLinearSolver")
    .Input("x: T")
    .Input("targets: double")
    .Input("sample_weights: double")
    .Input("column_scales: double")
    .Input("l2: double")
    .Input("initial: double")
    .Output("solver: resource")
    .Attr("T: {uint8, float, double}")
    .Attr("loss: {'squared', 'logistic', 'softmax'}")
    .Attr("algorithm: {'halp', 'lp_svrg', 'lp_sgd', 'svrg', 'sgd'}")
    .Attr("outputs: int >= 1")
    .Attr("intercept: bool")
    .Attr("batch_size: int >= 1")
    .Attr("word_bits: int")
    .Attr("data_bits: int")
    .Attr("weight_range: float")
    .Attr("seed: int")
    .Attr("threads: int >= 1")
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::ScalarShape)
    .Doc(R"doc(
A linear model being fitted: minimises sum_i weight_i loss(target_i, w . x_i) + 1/2 sum_j l2_j |w_j|^2.

x: [samples, features].
targets: [samples]; a class's index for softmax.
sample_weights: [samples], of sum 1.
column_scales: [features], or empty: what x's columns are multiplied by.
l2: [features].
initial: [outputs, features + intercept], or empty for zero.
solver: a handle; what it holds is freed with its last copy.
)doc");

REGISTER_OP("QuantOpsLinearEpoch")
    .Input("solver: resource")
    .Input("learning_rate: double")
    .Input("mu: double")
    .Input("steps: int64")
    .Input("threads: int64")
    .Output("measurement: double")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext* context) {
      context->set_output(0, context->Vector(kMeasurements));
      return absl::OkStatus();
    })
    .Doc(R"doc(
One outer epoch: `steps` inner steps, then the gradient over all the data.

mu: HALP's scale parameter; 0 chooses the scale from what was seen.
measurement: loss, norm of the gradient, seconds of the inner steps, seconds of the gradient, scale,
  share of saturated offsets.
)doc");

REGISTER_OP("QuantOpsLinearState")
    .Input("solver: resource")
    .Output("weights: double")
    .Output("measurement: double")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext* context) {
      context->set_output(0, context->UnknownShapeOfRank(2));
      context->set_output(1, context->Vector(kMeasurements));
      return absl::OkStatus();
    })
    .Doc(R"doc(
The iterate, [outputs, features + intercept], for x's scaled columns, and its measurement.
)doc");

}  // namespace quant_ops
