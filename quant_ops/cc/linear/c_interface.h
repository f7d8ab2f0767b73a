// The solvers for other languages: Python calls these through ctypes.
//
// Functions return 0, or one of the codes below with a message in `said`.
#ifndef QUANT_OPS_LINEAR_C_INTERFACE_H_
#define QUANT_OPS_LINEAR_C_INTERFACE_H_

#include <cstdint>

extern "C" {

enum { kQuantOpsWrong = 1, kQuantOpsNoMemory = 2, kQuantOpsNoThread = 3 };

struct QuantOpsMessage {
  char text[512];
};

// As Features; `type` is an ElementType.
struct QuantOpsMatrix {
  const void* data;
  int64_t rows, columns, row_stride, column_stride;
  int32_t type, drops_pages;
};

// As ColumnSurvey: [columns] each.
struct QuantOpsColumns {
  double *low, *high, *squares;
};

// As Problem, RowValues and SolverOptions; enumerations by their numbers. Pointers may be null
// where there is a default.
struct QuantOpsModel {
  int32_t loss, algorithm, outputs, intercept;
  int32_t word_bits, data_bits, double_precision, threads;
  int64_t batch_size;
  uint64_t seed;
  double weight_range;
  const double *targets, *weights;                    // [rows]
  const double *column_scales, *column_centres, *l2;  // [columns]
  const double* initial;                              // [outputs, columns + intercept]
};

// Numbers of a Measurement, in the order of its declaration.
enum { kQuantOpsMeasurements = 6 };

int quant_ops_linear_survey(const QuantOpsMatrix* x, int threads, QuantOpsColumns* columns,
                            QuantOpsMessage* said);
int quant_ops_linear_make(const QuantOpsMatrix* x, const QuantOpsModel* model,
                          const QuantOpsColumns* columns, void** solver, QuantOpsMessage* said);
int quant_ops_linear_epoch(void* solver, double learning_rate, double mu, int64_t steps,
                           int threads, double* measurement, QuantOpsMessage* said);
int quant_ops_linear_eigenvalue(void* solver, int64_t first, int64_t rows, double* eigenvalue,
                                QuantOpsMessage* said);
int quant_ops_linear_state(void* solver, double* weights, double* measurement, double* largest_row,
                           QuantOpsMessage* said);
void quant_ops_linear_free(void* solver);
}

#endif  // QUANT_OPS_LINEAR_C_INTERFACE_H_
