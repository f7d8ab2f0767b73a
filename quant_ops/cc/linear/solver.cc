#include "solver.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "../core/instruction_set.h"
#include "data_kernels.h"
#include "floating_solver.h"
#include "integer_solver.h"
#include "kernel_tables.h"

namespace quant_ops {

#define QUANT_OPS_DECLARE(isa)                           \
  namespace isa {                                        \
  extern const linear::Kernels kLinearKernels;           \
  extern const linear::FloatingKernels kFloatingKernels; \
  extern const linear::DataKernelTable kDataKernels;     \
  }
QUANT_OPS_DECLARE(portable)
#if defined(__x86_64__)
QUANT_OPS_DECLARE(avx2)
QUANT_OPS_DECLARE(avx512)
#endif
#undef QUANT_OPS_DECLARE

namespace linear {
namespace {

struct Tables {
  const Kernels* integers;
  const FloatingKernels* floats;
  const DataKernelTable* data;
};

// Whether QUANT_OPS_ISA names an instruction set is checked where the ops are made.
Tables select_tables() {
#if defined(__x86_64__)
  switch (best_instruction_set(/*byte_products=*/true).value_or(InstructionSet::kPortable)) {
    case InstructionSet::kAvx512:
      return {&avx512::kLinearKernels, &avx512::kFloatingKernels, &avx512::kDataKernels};
    case InstructionSet::kAvx2:
      return {&avx2::kLinearKernels, &avx2::kFloatingKernels, &avx2::kDataKernels};
    case InstructionSet::kPortable:
      break;
  }
#endif
  return {&portable::kLinearKernels, &portable::kFloatingKernels, &portable::kDataKernels};
}

const Tables& tables() {
  static const Tables selected = select_tables();
  return selected;
}

}  // namespace

const Kernels& kernels() { return *tables().integers; }
const FloatingKernels& floating_kernels() { return *tables().floats; }
const DataKernelTable& data_kernels() { return *tables().data; }
const char* linear_instruction_set() { return kernels().instruction_set; }

std::unique_ptr<Solver> make_solver(const Problem& problem, const Data& data,
                                    const SolverOptions& options,
                                    const std::vector<double>& initial) {
  Team team(static_cast<int>(std::min<int64_t>(options.threads, problem.rows)));
  const ColumnSurvey columns =
      data.survey == nullptr ? survey(data.features, problem.rows, team) : *data.survey;
  const FeatureStatistics facts = summary(columns, data.features, problem.rows);
  if (!std::isfinite(facts.mean_square)) {
    throw std::invalid_argument(
        "x must be finite, received NaN, infinity or numbers whose squares "
        "have no sum");
  }
  const Source source{data, facts, team};
  if (options.algorithm == Algorithm::kSvrg || options.algorithm == Algorithm::kSgd) {
    if (options.double_precision) {
      return std::make_unique<FloatingSolver<double>>(problem, source, options, initial);
    }
    return std::make_unique<FloatingSolver<float>>(problem, source, options, initial);
  }
  if (options.data_bits == 16 || options.word_bits == 16) {
    return std::make_unique<IntegerSolver<int16_t, double>>(problem, source, options, initial);
  }
  return std::make_unique<IntegerSolver<int8_t, int32_t>>(problem, source, options, initial);
}

}  // namespace linear
}  // namespace quant_ops
