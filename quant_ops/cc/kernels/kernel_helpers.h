// What the kernels share: TensorFlow's types and attributes as the core's, and sharding.
#ifndef QUANT_OPS_KERNELS_KERNEL_HELPERS_H_
#define QUANT_OPS_KERNELS_KERNEL_HELPERS_H_

#include <cstdint>
#include <functional>
#include <string>

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

// The attributes that both ops have. The sets of strings are closed by the op's registration.
template <class Spec>
inline void read_attributes(tensorflow::OpKernelConstruction* context, Spec* spec) {
  OP_REQUIRES(context, instruction_set() != nullptr,
              absl::InvalidArgumentError(
                  "the environment variable QUANT_OPS_ISA must be portable, avx2 or avx512"));
  OP_REQUIRES_OK(context, context->GetAttr("word_bits", &spec->word_bits));
  OP_REQUIRES(context, 1 <= spec->word_bits && spec->word_bits <= 64,
              absl::InvalidArgumentError(
                  absl::StrCat("word_bits must be in [1, 64], received ", spec->word_bits)));
  std::string rounding, overflow;
  OP_REQUIRES_OK(context, context->GetAttr("rounding", &rounding));
  OP_REQUIRES_OK(context, context->GetAttr("overflow", &overflow));
  constexpr const char* kRoundings[] = {"nearest_even", "nearest_away", "nearest_up", "down",
                                        "up",           "toward_zero",  "stochastic"};
  for (int i = 0; i < 7; ++i) {
    if (rounding == kRoundings[i]) spec->rounding = static_cast<Rounding>(i);
  }
  spec->overflow = overflow == "wrap" ? Overflow::kWrap : Overflow::kSaturate;
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

// Runs work(begin, end) over [0, count) on TensorFlow's own threads.
inline void shard(tensorflow::OpKernelContext* context, int64_t count, int64_t cycles_per_element,
                  const std::function<void(int64_t, int64_t)>& work) {
  const auto* threads = context->device()->tensorflow_cpu_worker_threads();
  tensorflow::Shard(threads->num_threads, threads->workers, count, cycles_per_element, work);
}

}  // namespace quant_ops

#endif  // QUANT_OPS_KERNELS_KERNEL_HELPERS_H_
