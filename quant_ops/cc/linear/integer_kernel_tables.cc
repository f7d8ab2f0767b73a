// Compiled once per instruction set, with QUANT_OPS_ISA naming it (build.py has the flags).
#include "inner_step.h"
#include "int16_dot_products.h"
#include "int8_dot_products.h"
#include "kernel_tables.h"

namespace quant_ops::QUANT_OPS_ISA {
namespace {

using linear::Storage;

void forward(Storage storage, const IntegerRows& rows, const Digits<int8_t>& z, int outputs,
             int64_t begin, int64_t end, int64_t* dots, int64_t dots_stride) {
  const auto run = storage == Storage::kInt4           ? forward_narrow<Storage::kInt4>
                   : storage == Storage::kUnsignedInt7 ? forward_narrow<Storage::kUnsignedInt7>
                                                       : forward_narrow<Storage::kInt8>;
  run(rows, z, outputs, begin, end, dots, dots_stride);
}

void backward(Storage storage, const IntegerRows& rows, const Digits<int8_t>& gamma, int outputs,
              int64_t begin, int64_t end, int32_t* sums, int64_t sums_stride) {
  const auto run = storage == Storage::kInt4           ? backward_narrow<Storage::kInt4>
                   : storage == Storage::kUnsignedInt7 ? backward_narrow<Storage::kUnsignedInt7>
                                                       : backward_narrow<Storage::kInt8>;
  run(rows, gamma, outputs, begin, end, sums, sums_stride);
}

void forward(Storage storage, const IntegerRows& rows, const Digits<int16_t>& z, int outputs,
             int64_t begin, int64_t end, int64_t* dots, int64_t dots_stride) {
  const auto run =
      storage == Storage::kInt16 ? forward_wide<Storage::kInt16> : forward_wide<Storage::kInt8>;
  run(rows, z, outputs, begin, end, dots, dots_stride);
}

void backward(Storage storage, const IntegerRows& rows, const Digits<int16_t>& gamma, int outputs,
              int64_t begin, int64_t end, double* sums, int64_t sums_stride) {
  const auto run =
      storage == Storage::kInt16 ? backward_wide<Storage::kInt16> : backward_wide<Storage::kInt8>;
  run(rows, gamma, outputs, begin, end, sums, sums_stride);
}

#define QUANT_OPS_NAME(isa) QUANT_OPS_NAME_LITERAL(isa)
#define QUANT_OPS_NAME_LITERAL(isa) #isa

}  // namespace

extern const linear::Kernels kLinearKernels;
const linear::Kernels kLinearKernels = {
    QUANT_OPS_NAME(QUANT_OPS_ISA),
    {forward, backward, coefficients<int8_t>, snapshot<int8_t>, update_narrow},
    {forward, backward, coefficients<int16_t>, snapshot<int16_t>, update_wide}};

#undef QUANT_OPS_NAME
#undef QUANT_OPS_NAME_LITERAL

}  // namespace quant_ops::QUANT_OPS_ISA
