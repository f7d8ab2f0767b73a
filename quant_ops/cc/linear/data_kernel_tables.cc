// Compiled once per instruction set, with QUANT_OPS_ISA naming it (build.py has the flags).
#include "data_loops.h"

namespace quant_ops::QUANT_OPS_ISA {

template <class Real>
constexpr linear::DataKernels<Real> kDataKernelsFrom = {read_rows,
                                                        survey<Real>,
                                                        to_integers<Real, int8_t>,
                                                        to_integers<Real, int16_t>,
                                                        to_floats<Real, float>,
                                                        to_floats<Real, double>};

extern const linear::DataKernelTable kDataKernels;
const linear::DataKernelTable kDataKernels = {kDataKernelsFrom<float>, kDataKernelsFrom<double>};

}  // namespace quant_ops::QUANT_OPS_ISA
