// What the ops that round to scaled integers share: the attributes, and the inputs scale, seed and
// counter.
#ifndef QUANT_OPS_KERNELS_SCALED_INTEGER_ARGUMENTS_H_
#define QUANT_OPS_KERNELS_SCALED_INTEGER_ARGUMENTS_H_

#include <memory>
#include <vector>

#include "../core/scaled_integer_scales.h"
#include "kernel_helpers.h"

namespace quant_ops {

class ScaledIntegerArguments {
 public:
  // Reads the attributes; look at the context's status afterwards.
  void read(tensorflow::OpKernelConstruction* context) {
    read_attributes(context, &spec_);
    if (!context->status().ok()) return;
    OP_REQUIRES_OK(context, context->GetAttr("per_axis", &per_axis_));
    OP_REQUIRES_OK(context, context->GetAttr("axis", &axis_));
  }

  // How to round x. The inputs `first` and on are scale, seed and counter; the context's status
  // says whether they fit x and are valid. Keep `table` while `spec` is in use.
  void read(tensorflow::OpKernelContext* context, const tensorflow::Tensor& x, int first,
            ScaledIntegerSpec* spec, std::unique_ptr<ScaleTable>* table) const {
    *spec = spec_;
    read_stream(context, first + 1, &spec->stream);
    if (!context->status().ok()) return;
    const tensorflow::Tensor& scale = context->input(first);
    int64_t inner = 1;
    OP_REQUIRES_OK(context, check_axis(x, scale, &inner));
    std::vector<double> scales;
    OP_REQUIRES_OK(context, read_scales(scale, &scales));
    *table = std::make_unique<ScaleTable>(*spec, carrier_type(x.dtype()),
                                          carrier_type(scale.dtype()), scales, inner);
    spec->scales = (*table)->scales();
  }

 private:
  // Element i of x belongs to scale (i / inner) % scale.NumElements().
  absl::Status check_axis(const tensorflow::Tensor& x, const tensorflow::Tensor& scale,
                          int64_t* inner) const {
    if (!per_axis_) {
      if (scale.dims() == 0) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat(
          "scale must be a scalar when axis is None, received ", scale.shape().DebugString()));
    }
    const int axis = axis_ < 0 ? axis_ + x.dims() : axis_;
    if (axis < 0 || axis >= x.dims()) {
      return absl::InvalidArgumentError(absl::StrCat("axis must be in [", -x.dims(), ", ", x.dims(),
                                                     ") for this x, received ", axis_));
    }
    if (scale.dims() != 1 || scale.dim_size(0) != x.dim_size(axis)) {
      return absl::InvalidArgumentError(
          absl::StrCat("scale must have one value for each index along axis ", axis, " of x, ",
                       x.dim_size(axis), " of them, received ", scale.shape().DebugString()));
    }
    for (int i = axis + 1; i < x.dims(); ++i) *inner *= x.dim_size(i);
    return absl::OkStatus();
  }

  static absl::Status read_scales(const tensorflow::Tensor& scale, std::vector<double>* scales) {
    scales->reserve(scale.NumElements());
    for (int64_t i = 0; i < scale.NumElements(); ++i) {
      const double value = read_element(carrier_type(scale.dtype()), scale.data(), i);
      if (!is_valid_scale(value)) {
        return absl::InvalidArgumentError(
            absl::StrCat("scale must be finite and not negative, received ", value, " at ", i));
      }
      scales->push_back(value);
    }
    return absl::OkStatus();
  }

  ScaledIntegerSpec spec_;
  bool per_axis_ = false;
  int axis_ = 0;
};

}  // namespace quant_ops

#endif  // QUANT_OPS_KERNELS_SCALED_INTEGER_ARGUMENTS_H_
