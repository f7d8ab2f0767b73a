// What the kernels share: TensorFlow's types and attributes as the core's, and sharding.
#ifndef QUANT_OPS_KERNELS_KERNEL_HELPERS_H_
#define QUANT_OPS_KERNELS_KERNEL_HELPERS_H_

#include <cstdint>
#include <exception>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "../core/quantize.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/register_types.h"
#include "tensorflow/core/util/work_sharder.h"

namespace quant_ops {

inline CarrierType carrier_type(tensorflow::DataType dtype) {
  switch (dtype) {
    case tensorflow::DT_HALF:
      return CarrierType::kHalf;
    case tensorflow::DT_BFLOAT16:
      return CarrierType::kBFloat16;
    case tensorflow::DT_FLOAT:
      return CarrierType::kFloat;
    default:  // the ops are registered for these four only
      return CarrierType::kDouble;
  }
}

// The sets of strings are closed by the ops' registration.
inline void read_rounding(tensorflow::OpKernelConstruction* context, Rounding* rounding) {
  OP_REQUIRES(context, instruction_set() != nullptr,
              absl::InvalidArgumentError(
                  "the environment variable QUANT_OPS_ISA must be portable, avx2 or avx512"));
  std::string name;
  OP_REQUIRES_OK(context, context->GetAttr("rounding", &name));
  constexpr const char* kRoundings[] = {"nearest_even", "nearest_away", "nearest_up", "down",
                                        "up",           "toward_zero",  "stochastic"};
  for (int i = 0; i < 7; ++i) {
    if (name == kRoundings[i]) *rounding = static_cast<Rounding>(i);
  }
}

inline void read_overflow(tensorflow::OpKernelConstruction* context, Overflow* overflow) {
  std::string name;
  OP_REQUIRES_OK(context, context->GetAttr("overflow", &name));
  constexpr const char* kOverflows[] = {"saturate", "wrap", "infinity", "nan"};
  for (int i = 0; i < 4; ++i) {
    if (name == kOverflows[i]) *overflow = static_cast<Overflow>(i);
  }
}

// An integer attribute within [low, high].
template <class Integer>
inline void read_integer(tensorflow::OpKernelConstruction* context, const char* name, int64_t low,
                         int64_t high, Integer* result) {
  int64_t value;
  OP_REQUIRES_OK(context, context->GetAttr(name, &value));
  OP_REQUIRES(context, low <= value && value <= high,
              absl::InvalidArgumentError(absl::StrCat(name, " must be in [", low, ", ", high,
                                                      "], received ", value)));
  *result = static_cast<Integer>(value);
}

// The attributes that fixed_point and scaled_integer have in common.
template <class Spec>
inline void read_attributes(tensorflow::OpKernelConstruction* context, Spec* spec) {
  read_rounding(context, &spec->rounding);
  if (!context->status().ok()) return;
  read_overflow(context, &spec->overflow);
  if (!context->status().ok()) return;
  read_integer(context, "word_bits", 1, 64, &spec->word_bits);
}

// The facts of a minifloat's grid. The bounds keep the arithmetic within its types.
inline void read_minifloat(tensorflow::OpKernelConstruction* context, MinifloatSpec* spec) {
  read_integer(context, "mantissa_bits", 0, 23, &spec->mantissa_bits);
  if (!context->status().ok()) return;
  const int reach = spec->mantissa_bits == 0 ? 512 : 127;
  read_integer(context, "min_exponent", -reach, reach, &spec->min_exponent);
  if (!context->status().ok()) return;
  read_integer(context, "max_exponent", spec->min_exponent, reach, &spec->max_exponent);
  if (!context->status().ok()) return;
  const int64_t one = int64_t{1} << spec->mantissa_bits;
  read_integer(context, "max_significand", one, 2 * one - 1, &spec->max_significand);
}

// All attributes of the two formats that more than one op rounds to.
inline void read_spec(tensorflow::OpKernelConstruction* context, FixedPointSpec* spec) {
  read_attributes(context, spec);
  if (!context->status().ok()) return;
  read_integer(context, "frac_bits", -512, 512, &spec->frac_bits);
  if (!context->status().ok()) return;
  OP_REQUIRES_OK(context, context->GetAttr("signed", &spec->is_signed));
}

inline void read_spec(tensorflow::OpKernelConstruction* context, MinifloatSpec* spec) {
  read_rounding(context, &spec->rounding);
  if (!context->status().ok()) return;
  read_overflow(context, &spec->overflow);
  if (!context->status().ok()) return;
  read_minifloat(context, spec);
  if (!context->status().ok()) return;
  OP_REQUIRES_OK(context, context->GetAttr("subnormals", &spec->subnormals));
  OP_REQUIRES_OK(context, context->GetAttr("odd_bias", &spec->odd_bias));
  OP_REQUIRES_OK(context, context->GetAttr("signed_zero", &spec->signed_zero));
}

// Seed and counter, the op's inputs `first` and `first + 1`.
inline void read_stream(tensorflow::OpKernelContext* context, int first, Stream* stream) {
  for (int i = first; i < first + 2; ++i) {
    OP_REQUIRES(context, tensorflow::TensorShapeUtils::IsScalar(context->input(i).shape()),
                absl::InvalidArgumentError("seed and counter must be scalars"));
  }
  stream->seed = static_cast<uint64_t>(context->input(first).scalar<int64_t>()());
  stream->counter = static_cast<uint64_t>(context->input(first + 1).scalar<int64_t>()());
}

// The op's scalar input `index`, in double.
inline double read_scalar(tensorflow::OpKernelContext* context, int index, const char* name) {
  const tensorflow::Tensor& input = context->input(index);
  if (!tensorflow::TensorShapeUtils::IsScalar(input.shape())) {
    context->CtxFailure(absl::InvalidArgumentError(
        absl::StrCat(name, " must be a scalar, received shape ", input.shape().DebugString())));
    return 0;
  }
  return read_element(carrier_type(input.dtype()), input.data(), 0);
}

// Runs work(), and makes an exception the op's status: TensorFlow's frames let none through.
template <class Work>
inline void catch_exceptions(tensorflow::OpKernelContext* context, const Work& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    context->CtxFailure(absl::ResourceExhaustedError("there is not enough memory"));
  } catch (const std::length_error&) {  // of a vector that no memory could hold
    context->CtxFailure(absl::ResourceExhaustedError("there is not enough memory"));
  } catch (const std::system_error& error) {  // of std::thread
    context->CtxFailure(absl::UnavailableError(
        absl::StrCat("a thread could not be started (", error.what(), ")")));
  } catch (const std::exception& error) {
    context->CtxFailure(absl::InvalidArgumentError(error.what()));
  }
}

// Of a scaled integer, per element on one AVX-512 core.
inline int64_t cycles_of(Rounding rounding) { return rounding == Rounding::kStochastic ? 3 : 2; }

// Runs work(begin, end) over [0, count) on TensorFlow's own threads.
inline void shard(tensorflow::OpKernelContext* context, int64_t count, int64_t cycles_per_element,
                  const std::function<void(int64_t, int64_t)>& work) {
  const auto* threads = context->device()->tensorflow_cpu_worker_threads();
  tensorflow::Shard(threads->num_threads, threads->workers, count, cycles_per_element, work);
}

// Quantizes x, the input 0, into a new output or in place: work(type, in, out, begin, end) for
// shards of [0, count).
template <class Work>
inline void quantize(tensorflow::OpKernelContext* context, int64_t count, int64_t cycles,
                     const Work& work) {
  const tensorflow::Tensor& x = context->input(0);
  tensorflow::Tensor* result = nullptr;
  OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 0, x.shape(), &result));
  const CarrierType type = carrier_type(x.dtype());
  const void* in = x.data();
  void* out = result->data();
  shard(context, count, cycles,
        [&](int64_t begin, int64_t end) { work(type, in, out, begin, end); });
}

}  // namespace quant_ops

#define QUANT_OPS_REGISTER_KERNEL(name, kernel)                                                  \
  QUANT_OPS_REGISTER_KERNEL_FOR(name, kernel, Eigen::half)                                       \
  QUANT_OPS_REGISTER_KERNEL_FOR(name, kernel, tensorflow::bfloat16)                              \
  QUANT_OPS_REGISTER_KERNEL_FOR(name, kernel, float)                                             \
  QUANT_OPS_REGISTER_KERNEL_FOR(name, kernel, double)
#define QUANT_OPS_REGISTER_KERNEL_FOR(name, kernel, T)                                           \
  REGISTER_KERNEL_BUILDER(Name(name).Device(tensorflow::DEVICE_CPU).TypeConstraint<T>("T"), kernel);

#endif  // QUANT_OPS_KERNELS_KERNEL_HELPERS_H_
