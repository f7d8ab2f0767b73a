// What a training step does to each weight, several operations in one pass over the memory. Each
// operation is rounded to T, as by TensorFlow's own ops: the same bits.
#include <atomic>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <type_traits>

#include "../core/per_instruction_set.h"
#include "kernel_helpers.h"
#include "scaled_integer_arguments.h"

namespace quant_ops {
namespace {

// A block of this many elements stays in the cache between two loops.
constexpr int64_t kCached = 4096;

// Calls visit(first, last) for the blocks of [begin, end).
template <class Visitor>
void for_each_block(int64_t begin, int64_t end, const Visitor& visit) {
  for (int64_t first = begin; first < end; first += kCached) {
    visit(first, first + kCached < end ? first + kCached : end);
  }
}

// Fails unless the first inputs, which `names` lists, have one shape.
absl::Status check_one_shape(tensorflow::OpKernelContext* context, const char* names) {
  const tensorflow::TensorShape& shape = context->input(0).shape();
  for (int i = 1; i < 3; ++i) {
    const tensorflow::TensorShape& other = context->input(i).shape();
    if (other != shape) {
      return absl::InvalidArgumentError(absl::StrCat(names, " must have one shape, received ",
                                                     shape.DebugString(), " and ",
                                                     other.DebugString()));
    }
  }
  return absl::OkStatus();
}

// new_offset = Q(offset + (weight - (center + offset))) and new_weight = center + new_offset.
template <class T>
class MoveOffsetKernel : public tensorflow::OpKernel {
 public:
  explicit MoveOffsetKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    arguments_.read(context);
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    catch_exceptions(context, [&] { compute(context); });
  }

 private:
  void compute(tensorflow::OpKernelContext* context) const {
    OP_REQUIRES_OK(context, check_one_shape(context, "weight, center and offset"));
    const tensorflow::Tensor& weight = context->input(0);
    ScaledIntegerSpec spec;
    std::unique_ptr<ScaleTable> table;
    arguments_.read(context, weight, 3, &spec, &table);
    if (!context->status().ok()) return;
    tensorflow::Tensor *new_offset = nullptr, *new_weight = nullptr;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({2}, 0, weight.shape(),
                                                                      &new_offset));
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 1, weight.shape(),
                                                                      &new_weight));
    const T* w = weight.flat<T>().data();
    const T* c = context->input(1).flat<T>().data();
    const T* z = context->input(2).flat<T>().data();
    T* to_z = new_offset->flat<T>().data();
    T* to_w = new_weight->flat<T>().data();
    const auto move = [&](int64_t first, int64_t last) {
      QUANT_OPS_VECTOR_LOOP
      for (int64_t i = first; i < last; ++i) {
        const T before = c[i] + z[i];
        const T change = w[i] - before;
        to_z[i] = z[i] + change;
      }
      scaled_integer(spec, carrier_type(weight.dtype()), to_z, to_z, first, last);
      QUANT_OPS_VECTOR_LOOP
      for (int64_t i = first; i < last; ++i) to_w[i] = c[i] + to_z[i];
    };
    shard(context, weight.NumElements(), cycles_of(spec.rounding) + 2,
          [&](int64_t begin, int64_t end) { for_each_block(begin, end, move); });
  }

  ScaledIntegerArguments arguments_;
};

// Whether weight != center + offset anywhere.
template <class T>
class HasMovedKernel : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(tensorflow::OpKernelContext* context) override {
    catch_exceptions(context, [&] { compute(context); });
  }

 private:
  static void compute(tensorflow::OpKernelContext* context) {
    OP_REQUIRES_OK(context, check_one_shape(context, "weight, center and offset"));
    tensorflow::Tensor* result = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, tensorflow::TensorShape({}), &result));
    const T* w = context->input(0).flat<T>().data();
    const T* c = context->input(1).flat<T>().data();
    const T* z = context->input(2).flat<T>().data();
    std::atomic<bool> found{false};
    const auto look = [&](int64_t first, int64_t last) {
      if (found.load(std::memory_order_relaxed)) return;
      int differing = 0;
      for (int64_t i = first; i < last; ++i) {
        const T sum = c[i] + z[i];
        differing += w[i] != sum;
      }
      if (differing != 0) found = true;
    };
    shard(context, context->input(0).NumElements(), 1,
          [&](int64_t begin, int64_t end) { for_each_block(begin, end, look); });
    result->scalar<bool>()() = found;
  }
};

// The magnitude of a float as an integer: the same order, and NaN above infinity.
template <class T>
using Bits = std::conditional_t<sizeof(T) == 2, int16_t,
                                std::conditional_t<sizeof(T) == 4, int32_t, int64_t>>;

template <class T>
Bits<T> magnitude_of(T x) {
  Bits<T> bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits & std::numeric_limits<Bits<T>>::max();
}

// estimate = (gradient - a entry) + a mean and new_entry = entry + Q(gradient - entry), where the
// largest finite difference is the largest code of Q; and whether the gradient is finite.
template <class T>
class MoveEntryKernel : public tensorflow::OpKernel {
 public:
  explicit MoveEntryKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    read_rounding(context, &spec_.rounding);
    if (!context->status().ok()) return;
    read_integer(context, "word_bits", 2, 64, &spec_.word_bits);
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    catch_exceptions(context, [&] { compute(context); });
  }

 private:
  // What a pass over the elements has found.
  struct Found {
    Bits<T> largest = 0;
    bool is_finite = true;
  };

  void compute(tensorflow::OpKernelContext* context) const {
    OP_REQUIRES_OK(context, check_one_shape(context, "gradient, entry and mean"));
    const tensorflow::Tensor& gradient = context->input(0);
    const T a = static_cast<T>(read_scalar(context, 3, "coefficient"));
    if (!context->status().ok()) return;
    ScaledIntegerSpec spec = spec_;
    read_stream(context, 4, &spec.stream);
    if (!context->status().ok()) return;
    tensorflow::Tensor *estimate = nullptr, *new_entry = nullptr, *is_finite = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, gradient.shape(), &estimate));
    OP_REQUIRES_OK(context, context->allocate_output(1, gradient.shape(), &new_entry));
    OP_REQUIRES_OK(context,
                   context->allocate_output(2, tensorflow::TensorShape({}), &is_finite));
    const Found found = estimate_from(context, a, estimate->flat<T>().data());
    is_finite->scalar<bool>()() = found.is_finite;
    T largest;
    std::memcpy(&largest, &found.largest, sizeof(largest));
    const T code = static_cast<T>(static_cast<double>((uint64_t{1} << (spec.word_bits - 1)) - 1));
    const CarrierType type = carrier_type(gradient.dtype());
    const ScaleTable table(spec, type, type, {static_cast<double>(largest / code)}, 1);
    spec.scales = table.scales();
    const T* g = gradient.flat<T>().data();
    const T* entry = context->input(1).flat<T>().data();
    T* to = new_entry->flat<T>().data();
    const auto move = [&](int64_t first, int64_t last) {
      QUANT_OPS_VECTOR_LOOP
      for (int64_t i = first; i < last; ++i) to[i] = g[i] - entry[i];
      scaled_integer(spec, type, to, to, first, last);
      QUANT_OPS_VECTOR_LOOP
      for (int64_t i = first; i < last; ++i) to[i] = entry[i] + to[i];
    };
    shard(context, gradient.NumElements(), cycles_of(spec.rounding) + 2,
          [&](int64_t begin, int64_t end) { for_each_block(begin, end, move); });
  }

  static Found estimate_from(tensorflow::OpKernelContext* context, T a, T* estimate) {
    const T* g = context->input(0).flat<T>().data();
    const T* entry = context->input(1).flat<T>().data();
    const T* mean = context->input(2).flat<T>().data();
    const Bits<T> infinity = magnitude_of(std::numeric_limits<T>::infinity());
    Found all;
    std::mutex mutex;
    const auto look = [&](int64_t first, int64_t last) {
      Bits<T> largest = 0, largest_gradient = 0;
      for (int64_t i = first; i < last; ++i) {
        const T scaled_entry = a * entry[i], scaled_mean = a * mean[i];
        const T difference = g[i] - scaled_entry;
        estimate[i] = difference + scaled_mean;
        const Bits<T> size = magnitude_of<T>(g[i] - entry[i]), of_g = magnitude_of(g[i]);
        const Bits<T> finite = size < infinity ? size : 0;
        largest = finite > largest ? finite : largest;
        largest_gradient = of_g > largest_gradient ? of_g : largest_gradient;
      }
      const std::lock_guard<std::mutex> lock(mutex);
      all.largest = largest > all.largest ? largest : all.largest;
      all.is_finite &= largest_gradient < infinity;
    };
    shard(context, context->input(0).NumElements(), 2,
          [&](int64_t begin, int64_t end) { for_each_block(begin, end, look); });
    return all;
  }

  ScaledIntegerSpec spec_;
};

#define REGISTER_CPU_KERNELS(T)                                                    \
  QUANT_OPS_REGISTER_KERNEL_FOR("QuantOpsMoveOffset", MoveOffsetKernel<T>, T)      \
  QUANT_OPS_REGISTER_KERNEL_FOR("QuantOpsHasMoved", HasMovedKernel<T>, T)          \
  QUANT_OPS_REGISTER_KERNEL_FOR("QuantOpsMoveEntry", MoveEntryKernel<T>, T)
REGISTER_CPU_KERNELS(Eigen::half)
REGISTER_CPU_KERNELS(tensorflow::bfloat16)
REGISTER_CPU_KERNELS(float)
REGISTER_CPU_KERNELS(double)
#undef REGISTER_CPU_KERNELS

}  // namespace
}  // namespace quant_ops
