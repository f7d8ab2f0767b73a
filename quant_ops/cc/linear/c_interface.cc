#include "c_interface.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <system_error>

#include "solver.h"

namespace quant_ops::linear {
namespace {

int say(QuantOpsMessage* said, int code, const char* text) {
  std::snprintf(said->text, sizeof(said->text), "%s", text);
  return code;
}

// No exception may leave a function that C calls.
template <class Work>
int answered(QuantOpsMessage* said, const Work& work) {
  try {
    work();
    return 0;
  } catch (const std::bad_alloc&) {
    return say(said, kQuantOpsNoMemory, "there is not enough memory");
  } catch (const std::length_error&) {  // of a vector that no memory could hold
    return say(said, kQuantOpsNoMemory, "there is not enough memory");
  } catch (const std::system_error& error) {  // of std::thread
    return say(said, kQuantOpsNoThread, error.what());
  } catch (const std::exception& error) {
    return say(said, kQuantOpsWrong, error.what());
  }
}

Features features_of(const QuantOpsMatrix& x) {
  Features features;
  features.type = static_cast<ElementType>(x.type);
  features.data = x.data;
  features.columns = x.columns;
  features.row_stride = x.row_stride;
  features.column_stride = x.column_stride;
  features.drops_pages = x.drops_pages != 0;
  return features;
}

ColumnSurvey survey_of(const QuantOpsColumns& given, int64_t columns) {
  return {{given.low, given.low + columns},
          {given.high, given.high + columns},
          {given.squares, given.squares + columns}};
}

void write(const Measurement& m, double* out) {
  const double values[kQuantOpsMeasurements] = {
      m.loss, m.gradient_norm, m.inner_seconds, m.gradient_seconds, m.scale, m.saturated};
  std::copy_n(values, kQuantOpsMeasurements, out);
}

std::unique_ptr<Solver> made(const QuantOpsMatrix& x, const QuantOpsModel& model,
                             const QuantOpsColumns* columns) {
  Problem problem;
  problem.loss = static_cast<Loss>(model.loss);
  problem.rows = x.rows;
  problem.columns = x.columns + (model.intercept != 0 ? 1 : 0);
  problem.outputs = model.outputs;
  problem.batch_size = std::min(model.batch_size, x.rows);
  problem.seed = model.seed;
  problem.l2.assign(problem.columns, 0.0);
  if (model.l2 != nullptr) std::copy_n(model.l2, x.columns, problem.l2.data());
  SolverOptions options;
  options.algorithm = static_cast<Algorithm>(model.algorithm);
  options.data_bits = model.data_bits;
  options.word_bits = model.word_bits;
  options.weight_range = model.weight_range;
  options.double_precision = model.double_precision != 0;
  options.threads = model.threads;
  Data data{features_of(x), {model.targets, model.weights}, nullptr};
  data.features.column_scales = model.column_scales;
  data.features.column_centres = model.column_centres;
  data.features.has_intercept = model.intercept != 0;
  ColumnSurvey known;
  if (columns != nullptr) {
    known = survey_of(*columns, x.columns);
    data.survey = &known;
  }
  std::vector<double> initial;
  if (model.initial != nullptr) {
    initial.assign(model.initial, model.initial + problem.outputs * problem.columns);
  }
  return make_solver(problem, data, options, initial);
}

}  // namespace
}  // namespace quant_ops::linear

using quant_ops::linear::answered;
using quant_ops::linear::Solver;

int quant_ops_linear_survey(const QuantOpsMatrix* x, int threads, QuantOpsColumns* columns,
                            QuantOpsMessage* said) {
  return answered(said, [&] {
    quant_ops::linear::Team team(static_cast<int>(std::min<int64_t>(threads, x->rows)));
    const auto found = survey(quant_ops::linear::features_of(*x), x->rows, team);
    std::copy(found.low.begin(), found.low.end(), columns->low);
    std::copy(found.high.begin(), found.high.end(), columns->high);
    std::copy(found.squares.begin(), found.squares.end(), columns->squares);
  });
}

int quant_ops_linear_make(const QuantOpsMatrix* x, const QuantOpsModel* model,
                          const QuantOpsColumns* columns, void** solver, QuantOpsMessage* said) {
  return answered(said, [&] { *solver = quant_ops::linear::made(*x, *model, columns).release(); });
}

int quant_ops_linear_epoch(void* solver, double learning_rate, double mu, int64_t steps,
                           int threads, double* measurement, QuantOpsMessage* said) {
  return answered(said, [&] {
    quant_ops::linear::EpochOptions options;
    options.learning_rate = learning_rate;
    options.mu = mu;
    options.steps = steps;
    options.threads = threads;
    quant_ops::linear::write(static_cast<Solver*>(solver)->epoch(options), measurement);
  });
}

int quant_ops_linear_eigenvalue(void* solver, int64_t first, int64_t rows, double* eigenvalue,
                                QuantOpsMessage* said) {
  return answered(
      said, [&] { *eigenvalue = static_cast<Solver*>(solver)->largest_eigenvalue(first, rows); });
}

int quant_ops_linear_state(void* solver, double* weights, double* measurement, double* largest_row,
                           QuantOpsMessage* said) {
  return answered(said, [&] {
    const Solver& given = *static_cast<Solver*>(solver);
    const std::vector<double> found = given.weights();
    std::copy(found.begin(), found.end(), weights);
    quant_ops::linear::write(given.measurement(), measurement);
    *largest_row = given.largest_row();
  });
}

void quant_ops_linear_free(void* solver) { delete static_cast<Solver*>(solver); }
