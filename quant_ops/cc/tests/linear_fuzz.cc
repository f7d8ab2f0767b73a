// Random linear models, a few epochs of each, and what holds for all of them. The hash that it
// prints, of what integers determine, is the same for every instruction set.
#include <cmath>
#include <cstring>
#include <vector>

#include "check.h"
#include "linear_problem.h"
#include "random.h"
#include "run_seeds.h"

namespace quant_ops {

// Of run_seeds.h; the core, whose it is, takes longer to compile than all of the solvers.
const char* instruction_set() { return linear::linear_instruction_set(); }

namespace {

using namespace linear;

// What an outer epoch leaves: weights, and the measurements that are not times.
using Trace = std::vector<double>;

void append(const Measurement& m, Trace* trace) {
  trace->insert(trace->end(), {m.loss, m.gradient_norm, m.scale, m.saturated});
}

bool same_bits(const Trace& a, const Trace& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool nans = std::isnan(a[i]) && std::isnan(b[i]);  // their signs are the processor's
    if (!nans && std::memcmp(&a[i], &b[i], sizeof(double)) != 0) return false;
  }
  return true;
}

uint64_t hash_of(const Trace& trace) {
  uint64_t hash = trace.size();
  for (const double value : trace) {
    uint64_t bits = 0;
    if (!std::isnan(value)) std::memcpy(&bits, &value, sizeof(bits));
    hash = (hash ^ bits) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return hash;
}

bool all_finite(const Trace& values) {
  for (const double value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

void check_measurement(const RandomModel& model, const Measurement& m, const Trace& weights) {
  CHECK(static_cast<int64_t>(weights.size()) == model.count());
  CHECK(m.saturated >= 0 && m.saturated <= 1);
  CHECK(m.inner_seconds >= 0 && m.gradient_seconds >= 0);
  CHECK(!(m.scale < 0) && !(m.gradient_norm < 0));
  // Rounding may leave a loss of 0 below it.
  CHECK(!(m.loss < -1e-9));
  if (!model.tame) return;
  CHECK(all_finite(weights));
  CHECK(std::isfinite(m.loss) && std::isfinite(m.gradient_norm));
  CHECK(std::isfinite(m.scale) || m.gradient_norm == 0);
}

// Weights of the baselines are on their grid, of which there is none but the intercept's beyond
// weight_range.
void check_range(const RandomModel& model, const Trace& weights) {
  const bool fixed = model.options.algorithm == Algorithm::kLowPrecisionSvrg ||
                     model.options.algorithm == Algorithm::kLowPrecisionSgd;
  if (!fixed) return;
  const double range = model.options.weight_range;
  const double step = range / std::exp2(model.options.word_bits - 1);
  for (int64_t i = 0; i < model.count(); ++i) {
    const bool is_intercept = model.features.has_intercept && (i + 1) % model.problem.columns == 0;
    if (is_intercept) continue;
    CHECK(weights[i] >= -range && weights[i] < range);
    CHECK(std::rint(weights[i] / step) * step == weights[i]);
  }
}

// Of all rows: no more than the sum of all eigenvalues, no less than the largest row's share.
void check_eigenvalue(const RandomModel& model, Solver& solver, Trace* trace) {
  const double found = solver.largest_eigenvalue(0, model.problem.rows);
  const double largest = solver.largest_row();
  trace->insert(trace->end(), {found, largest});
  if (!model.tame) return;
  CHECK(found >= 0 && found <= largest * (1 + 1e-5));
}

Trace run(const RandomModel& model, bool alone) {
  SolverOptions options = model.options;
  options.threads = alone ? 1 : model.threads;
  const auto solver = make_solver(model.problem, model.data(), options, model.initial);
  Trace trace = solver->weights();
  check_measurement(model, solver->measurement(), trace);
  append(solver->measurement(), &trace);
  check_eigenvalue(model, *solver, &trace);
  for (EpochOptions epoch : model.epochs) {
    if (alone) epoch.threads = 1;
    const Trace before = solver->weights();
    const Measurement measurement = solver->epoch(epoch);
    const Trace weights = solver->weights();
    check_measurement(model, measurement, weights);
    check_range(model, weights);
    if (epoch.steps == 0) CHECK(same_bits(before, weights) || !all_finite(before));
    Trace returned, kept;
    append(measurement, &returned);
    append(solver->measurement(), &kept);
    CHECK(same_bits(returned, kept));
    trace.insert(trace.end(), weights.begin(), weights.end());
    trace.insert(trace.end(), returned.begin(), returned.end());
  }
  return trace;
}

uint64_t check_model(uint64_t seed) {
  Random random(seed);
  const RandomModel model(random);
  const std::vector<unsigned char> given = model.memory;
  const Trace shared = run(model, false);
  CHECK(model.memory == given);
  if (!model.is_integer()) return 0;
  CHECK(same_bits(run(model, true), shared));
  return hash_of(shared);
}

}  // namespace
}  // namespace quant_ops

int main(int argc, char** argv) { return quant_ops::run_seeds(argc, argv, quant_ops::check_model); }
