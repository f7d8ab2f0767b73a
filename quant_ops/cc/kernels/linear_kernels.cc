#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../linear/solver.h"
#include "kernel_helpers.h"
#include "tensorflow/core/framework/resource_handle.h"
#include "tensorflow/core/framework/resource_mgr.h"

namespace quant_ops {
namespace {

using linear::Measurement;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

class SolverResource : public tensorflow::ResourceBase {
 public:
  SolverResource(std::unique_ptr<linear::Solver> solver, int outputs)
      : solver_(std::move(solver)), outputs_(outputs) {}

  std::string DebugString() const override { return "a linear model being fitted"; }

  // One at a time: an epoch changes the solver.
  template <class Work>
  auto with_solver(const Work& work) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return work(*solver_);
  }
  int outputs() const { return outputs_; }

 private:
  std::mutex mutex_;
  std::unique_ptr<linear::Solver> solver_;
  const int outputs_;
};

template <class Choice>
void read_choice(OpKernelConstruction* context, const char* name,
                 std::initializer_list<const char*> names, Choice* result) {
  std::string value;
  OP_REQUIRES_OK(context, context->GetAttr(name, &value));
  int index = 0;
  for (const char* known : names) {
    if (value == known) *result = static_cast<Choice>(index);
    ++index;
  }
}

void read_vector(OpKernelContext* context, int index, const char* name, int64_t size,
                 bool may_be_empty, std::vector<double>* result) {
  const Tensor& tensor = context->input(index);
  const int64_t count = tensor.NumElements();
  OP_REQUIRES(
      context, count == size || (may_be_empty && count == 0),
      absl::InvalidArgumentError(absl::StrCat(
          name, " must have ", size, " elements, received shape ", tensor.shape().DebugString())));
  const double* const data = tensor.flat<double>().data();
  result->assign(data, data + count);
}

class LinearSolverKernel : public tensorflow::OpKernel {
 public:
  explicit LinearSolverKernel(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES(context, instruction_set() != nullptr,
                absl::InvalidArgumentError(
                    "the environment variable QUANT_OPS_ISA must be portable, avx2 or avx512"));
    read_choice(context, "loss", {"squared", "logistic", "softmax"}, &problem_.loss);
    read_choice(context, "algorithm", {"halp", "lp_svrg", "lp_sgd", "svrg", "sgd"},
                &options_.algorithm);
    OP_REQUIRES_OK(context, context->GetAttr("outputs", &problem_.outputs));
    OP_REQUIRES_OK(context, context->GetAttr("intercept", &has_intercept_));
    OP_REQUIRES_OK(context, context->GetAttr("batch_size", &problem_.batch_size));
    OP_REQUIRES_OK(context, context->GetAttr("word_bits", &options_.word_bits));
    OP_REQUIRES_OK(context, context->GetAttr("data_bits", &options_.data_bits));
    const int word = options_.word_bits, data = options_.data_bits;
    OP_REQUIRES(
        context, word == 8 || word == 16,
        absl::InvalidArgumentError(absl::StrCat("word_bits must be 8 or 16, received ", word)));
    OP_REQUIRES(
        context, data == 4 || data == 8 || data == 16,
        absl::InvalidArgumentError(absl::StrCat("data_bits must be 4, 8 or 16, received ", data)));
    float range;
    OP_REQUIRES_OK(context, context->GetAttr("weight_range", &range));
    OP_REQUIRES(context, range > 0 && std::isfinite(range),
                absl::InvalidArgumentError(
                    absl::StrCat("weight_range must be positive and finite, received ", range)));
    options_.weight_range = range;
    int64_t seed;
    OP_REQUIRES_OK(context, context->GetAttr("seed", &seed));
    problem_.seed = static_cast<uint64_t>(seed);
    OP_REQUIRES_OK(context, context->GetAttr("threads", &options_.threads));
  }

  void Compute(OpKernelContext* context) override {
    catch_exceptions(context, [&] { make(context); });
  }

 private:
  void make(OpKernelContext* context) const {
    const Tensor& x = context->input(0);
    OP_REQUIRES(context, x.dims() == 2 && x.NumElements() > 0,
                absl::InvalidArgumentError(
                    absl::StrCat("x must have at least one sample and one feature, received shape ",
                                 x.shape().DebugString())));
    linear::Problem problem = problem_;
    linear::Features features;
    problem.rows = x.dim_size(0);
    features.columns = x.dim_size(1);
    problem.columns = features.columns + (has_intercept_ ? 1 : 0);
    problem.batch_size = std::min(problem.batch_size, problem.rows);
    features.data = x.data();
    features.has_intercept = has_intercept_;
    features.type = x.dtype() == tensorflow::DT_UINT8   ? linear::ElementType::kUint8
                    : x.dtype() == tensorflow::DT_FLOAT ? linear::ElementType::kFloat
                                                        : linear::ElementType::kDouble;
    linear::SolverOptions options = options_;
    options.double_precision = x.dtype() == tensorflow::DT_DOUBLE;
    std::vector<double> scales, initial;
    read_vector(context, 1, "targets", problem.rows, false, &problem.targets);
    if (!context->status().ok()) return;
    read_vector(context, 2, "sample_weights", problem.rows, false, &problem.weights);
    if (!context->status().ok()) return;
    read_vector(context, 3, "column_scales", features.columns, true, &scales);
    if (!context->status().ok()) return;
    read_vector(context, 4, "l2", features.columns, false, &problem.l2);
    if (!context->status().ok()) return;
    read_vector(context, 5, "initial", problem.outputs * problem.columns, true, &initial);
    if (!context->status().ok()) return;
    if (problem.loss == linear::Loss::kSoftmax) {
      for (const double target : problem.targets) {
        OP_REQUIRES(context, target >= 0 && target < problem.outputs && target == std::rint(target),
                    absl::InvalidArgumentError(absl::StrCat(
                        "targets must be classes below ", problem.outputs, ", received ", target)));
      }
    } else {
      OP_REQUIRES(context, problem.outputs == 1,
                  absl::InvalidArgumentError(
                      absl::StrCat("outputs must be 1 for this loss, received ", problem.outputs)));
    }
    if (has_intercept_) problem.l2.push_back(0);
    if (!scales.empty()) features.column_scales = scales.data();
    auto solver = linear::make_solver(problem, features, options, initial);
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, {}, &output));
    output->scalar<tensorflow::ResourceHandle>()() =
        tensorflow::ResourceHandle::MakeRefCountingHandle(
            new SolverResource(std::move(solver), problem.outputs), context->device()->name());
  }

  linear::Problem problem_;
  linear::SolverOptions options_;
  bool has_intercept_ = false;
};

// The solver behind the input 0.
SolverResource* find_solver(OpKernelContext* context) {
  const auto& handle = context->input(0).scalar<tensorflow::ResourceHandle>()();
  auto found = handle.GetResource<SolverResource>();
  if (!found.ok()) context->CtxFailure(found.status());
  return found.ok() ? *found : nullptr;
}

void write_measurement(OpKernelContext* context, int index, const Measurement& measurement) {
  Tensor* output = nullptr;
  OP_REQUIRES_OK(context, context->allocate_output(index, {6}, &output));
  const double values[] = {measurement.loss,          measurement.gradient_norm,
                           measurement.inner_seconds, measurement.gradient_seconds,
                           measurement.scale,         measurement.saturated};
  std::copy_n(values, 6, output->flat<double>().data());
}

class LinearEpochKernel : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    SolverResource* const resource = find_solver(context);
    if (resource == nullptr) return;
    linear::EpochOptions options;
    options.learning_rate = context->input(1).scalar<double>()();
    options.mu = context->input(2).scalar<double>()();
    options.steps = context->input(3).scalar<int64_t>()();
    const int64_t threads = context->input(4).scalar<int64_t>()();
    OP_REQUIRES(
        context, options.learning_rate > 0 && std::isfinite(options.learning_rate),
        absl::InvalidArgumentError(absl::StrCat(
            "learning_rate must be positive and finite, received ", options.learning_rate)));
    OP_REQUIRES(context, options.mu >= 0 && std::isfinite(options.mu),
                absl::InvalidArgumentError(
                    absl::StrCat("mu must be finite and not negative, received ", options.mu)));
    OP_REQUIRES(context, options.steps >= 0,
                absl::InvalidArgumentError(
                    absl::StrCat("steps must be at least 0, received ", options.steps)));
    OP_REQUIRES(context, threads >= 1 && threads <= 1024,
                absl::InvalidArgumentError(
                    absl::StrCat("n_threads must be in [1, 1024], received ", threads)));
    options.threads = static_cast<int>(threads);
    catch_exceptions(context, [&] {
      const Measurement measurement =
          resource->with_solver([&](linear::Solver& solver) { return solver.epoch(options); });
      write_measurement(context, 0, measurement);
    });
  }
};

class LinearStateKernel : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    SolverResource* const resource = find_solver(context);
    if (resource == nullptr) return;
    catch_exceptions(context, [&] { read(context, resource); });
  }

 private:
  static void read(OpKernelContext* context, SolverResource* resource) {
    std::vector<double> weights;
    const Measurement measurement = resource->with_solver([&](linear::Solver& solver) {
      weights = solver.weights();
      return solver.measurement();
    });
    const int64_t outputs = resource->outputs(), count = static_cast<int64_t>(weights.size());
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, {outputs, count / outputs}, &output));
    std::copy(weights.begin(), weights.end(), output->flat<double>().data());
    write_measurement(context, 1, measurement);
  }
};

REGISTER_KERNEL_BUILDER(Name("QuantOpsLinearSolver").Device(tensorflow::DEVICE_CPU),
                        LinearSolverKernel);
REGISTER_KERNEL_BUILDER(Name("QuantOpsLinearEpoch").Device(tensorflow::DEVICE_CPU),
                        LinearEpochKernel);
REGISTER_KERNEL_BUILDER(Name("QuantOpsLinearState").Device(tensorflow::DEVICE_CPU),
                        LinearStateKernel);

}  // namespace
}  // namespace quant_ops
