// Compiled once per instruction set, with QUANT_OPS_ISA naming it (build.py has the flags).
#include "float_dot_products.h"
#include "kernel_tables.h"
#include "losses.h"

namespace quant_ops::QUANT_OPS_ISA {

template <class Real>
constexpr linear::FloatKernels<Real> kFloatKernels = {
    forward_float<Real>, backward_float<Real>, update_float<Real>, predict<Real>, predict_and_lose};

extern const linear::FloatingKernels kFloatingKernels;
const linear::FloatingKernels kFloatingKernels = {kFloatKernels<float>, kFloatKernels<double>};

}  // namespace quant_ops::QUANT_OPS_ISA
