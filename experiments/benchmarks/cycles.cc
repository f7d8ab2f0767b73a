// What the arithmetic alone costs: one thread, 4096 elements that stay in the cache, no TensorFlow.
//
// Prints as CSV, for each op, rounding and dtype, the cycles of the time stamp counter and the
// nanoseconds per element in the fastest of many calls. For float32 also the instructions per
// element, counted by stepping a child process through them: a figure that no noise changes.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif
#if defined(__linux__)
#include <csignal>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "core/float_types.h"
#include "core/quantize.h"
#include "core/scaled_integer_scales.h"

namespace quant_ops {
namespace {

constexpr int64_t kCount = 4096;
constexpr int64_t kColumns = 128;  // of the matrix whose axis 0 has scales or blocks of its own
constexpr int64_t kBlockSize = 32;
constexpr int kCalls = 200;

struct Type {
  const char* name;
  CarrierType type;
  size_t bytes;
};
constexpr Type kTypes[] = {{"float32", CarrierType::kFloat, 4},
                           {"float64", CarrierType::kDouble, 8},
                           {"bfloat16", CarrierType::kBFloat16, 2},
                           {"float16", CarrierType::kHalf, 2}};
constexpr const char* kRoundings[] = {"nearest_even", "nearest_away", "nearest_up", "down",
                                      "up",           "toward_zero",  "stochastic"};

// Quantizes all elements, or none if `count` is 0.
using Quantize = std::function<void(CarrierType, Rounding, const void*, void*, int64_t count)>;

struct Case {
  const char* op;
  const char* arguments;
  std::vector<Rounding> roundings;  // none: the op has no choice
  Quantize quantize;
};

std::vector<Rounding> all_roundings() {
  std::vector<Rounding> all;
  for (int i = 0; i < 7; ++i) all.push_back(static_cast<Rounding>(i));
  return all;
}

Quantize fixed_point_case() {
  return [](CarrierType type, Rounding rounding, const void* in, void* out, int64_t count) {
    FixedPointSpec spec;
    spec.word_bits = 8;
    spec.frac_bits = 4;
    spec.rounding = rounding;
    fixed_point(spec, type, in, out, 0, count);
  };
}

// `count` scales, each for `inner` elements in a row, of the elements' own type.
Quantize scaled_integer_case(int64_t count, int64_t inner) {
  std::vector<double> scales;  // exact in every type
  for (int64_t i = 0; i < count; ++i) scales.push_back(static_cast<double>(128 + i) / 4096);
  ScaledIntegerSpec spec;
  spec.word_bits = 8;
  std::map<CarrierType, std::shared_ptr<ScaleTable>> tables;
  for (const Type& t : kTypes) {
    tables[t.type] = std::make_shared<ScaleTable>(spec, t.type, t.type, scales, inner);
  }
  return [=](CarrierType type, Rounding rounding, const void* in, void* out, int64_t elements) {
    ScaledIntegerSpec rounded = spec;
    rounded.rounding = rounding;
    rounded.scales = tables.at(type)->scales();
    scaled_integer(rounded, type, in, out, 0, elements);
  };
}

Quantize minifloat_case(MinifloatSpec spec) {
  return [=](CarrierType type, Rounding rounding, const void* in, void* out, int64_t count) {
    MinifloatSpec rounded = spec;
    rounded.rounding = rounding;
    minifloat(rounded, type, in, out, 0, count);
  };
}

MinifloatSpec grid(int mantissa_bits, int min_exponent, int64_t max_significand, int max_exponent) {
  MinifloatSpec spec;
  spec.mantissa_bits = mantissa_bits;
  spec.min_exponent = min_exponent;
  spec.max_significand = max_significand;
  spec.max_exponent = max_exponent;
  spec.odd_bias = true;
  return spec;
}

MinifloatSpec power_of_two_grid() {
  MinifloatSpec spec = grid(0, -8, 1, 7);
  spec.subnormals = spec.odd_bias = spec.signed_zero = false;
  return spec;
}

Quantize block_case(int word_bits, MinifloatSpec element, bool limited_scale, int64_t inner) {
  return [=](CarrierType type, Rounding rounding, const void* in, void* out, int64_t count) {
    BlockScaledSpec spec;
    spec.word_bits = word_bits;
    spec.element = element;
    spec.element.rounding = rounding;
    spec.limited_scale = limited_scale;
    spec.block_size = kBlockSize;
    spec.inner = inner;
    block_scaled(spec, type, in, out, 0, count / kBlockSize);
  };
}

Quantize level_case(LevelKind kind) {
  return [=](CarrierType type, Rounding rounding, const void* in, void* out, int64_t count) {
    LevelSpec spec;
    spec.kind = kind;
    spec.threshold = 0.7;
    spec.rounding = rounding;
    level(spec, type, in, out, 0, count);
  };
}

// Named as in tq_halp/commands/bench/op_cases.py.
std::vector<Case> all_cases() {
  const std::vector<Rounding> all = all_roundings();
  const MinifloatSpec e4m3fn = grid(3, -6, 14, 8), e2m1fn = grid(1, 0, 3, 2), none;
  return {
      {"fixed_point", "8, 4", all, fixed_point_case()},
      {"scaled_integer", "8", all, scaled_integer_case(1, 1)},
      {"scaled_integer", "8, axis -1", all, scaled_integer_case(kColumns, 1)},
      {"scaled_integer", "8, axis 0", all, scaled_integer_case(kCount / kColumns, kColumns)},
      {"minifloat", "4, 3", all, minifloat_case(grid(3, -6, 15, 7))},
      {"minifloat", "5, 2", all, minifloat_case(grid(2, -14, 7, 15))},
      {"minifloat", "8, 7", all, minifloat_case(grid(7, -126, 255, 127))},
      {"power_of_two", "-8, 7", all, minifloat_case(power_of_two_grid())},
      {"block_float", "8, axis -1", all, block_case(8, none, false, 1)},
      {"block_float", "8, axis 0", all, block_case(8, none, false, kColumns)},
      {"mx", "float8_e4m3fn, axis -1", all, block_case(0, e4m3fn, true, 1)},
      {"mx", "float8_e4m3fn, axis 0", all, block_case(0, e4m3fn, true, kColumns)},
      {"mx", "float4_e2m1fn, axis -1", all, block_case(0, e2m1fn, true, 1)},
      {"mx", "float4_e2m1fn, axis 0", all, block_case(0, e2m1fn, true, kColumns)},
      {"mx", "int8, axis -1", all, block_case(8, none, true, 1)},
      {"mx", "int8, axis 0", all, block_case(8, none, true, kColumns)},
      {"binary", "", {Rounding::kNearestUp, Rounding::kStochastic}, level_case(LevelKind::kBinary)},
      {"ternary", "given threshold", {}, level_case(LevelKind::kTernary)},
      {"sparse", "", {}, level_case(LevelKind::kSparse)},
  };
}

uint64_t cycles_now() {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return 0;
#endif
}

struct Cost {
  double cycles, nanoseconds;
};

// Of the fastest call.
Cost time_calls(const std::function<void()>& call) {
  Cost best = {1e30, 1e30};
  for (int i = 0; i < kCalls; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const uint64_t first = cycles_now();
    call();
    const double cycles = static_cast<double>(cycles_now() - first);
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    best.cycles = cycles < best.cycles ? cycles : best.cycles;
    best.nanoseconds = time.count() < best.nanoseconds ? time.count() : best.nanoseconds;
  }
  return best;
}

// How many instructions `work` executes, and a few more; -1 where they cannot be counted.
int64_t count_instructions(const std::function<void()>& work) {
#if defined(__linux__)
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    raise(SIGSTOP);
    work();
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  int64_t steps = -1;
  waitpid(child, &status, 0);
  if (WIFSTOPPED(status)) {
    do {
      ++steps;
      if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
      waitpid(child, &status, 0);
    } while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
  }
  return steps;
#else
  return -1;
#endif
}

template <class T>
std::vector<char> normal_numbers() {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  std::vector<char> bytes(kCount * sizeof(T));
  for (int64_t i = 0; i < kCount; ++i) {
    T number;
    portable::narrow(normal(generator), &number);
    __builtin_memcpy(&bytes[i * sizeof(T)], &number, sizeof(T));
  }
  return bytes;
}

std::vector<char> numbers(CarrierType type) {
  switch (type) {
    case CarrierType::kHalf:
      return normal_numbers<portable::Half>();
    case CarrierType::kBFloat16:
      return normal_numbers<portable::BFloat16>();
    case CarrierType::kFloat:
      return normal_numbers<float>();
    default:
      return normal_numbers<double>();
  }
}

void measure(const Case& one, const Type& type, Rounding rounding) {
  const std::vector<char> in = numbers(type.type);
  std::vector<char> out(in.size());
  const auto quantize = [&](int64_t count) {
    one.quantize(type.type, rounding, in.data(), out.data(), count);
  };
  const Cost cost = time_calls([&] { quantize(kCount); });
  const char* name = one.roundings.empty() ? "" : kRoundings[static_cast<int>(rounding)];
  std::printf("%s,%s,\"%s\",%s,%s,%.3f,%.4f,", instruction_set(), one.op, one.arguments, name,
              type.name, cost.cycles / kCount, cost.nanoseconds / kCount);
  const bool shown = one.roundings.empty() || rounding == one.roundings.front() ||
                     rounding == Rounding::kStochastic;
  if (type.type == CarrierType::kFloat && shown) {
    const int64_t none = count_instructions([&] { quantize(0); });
    const int64_t all = count_instructions([&] { quantize(kCount); });
    if (none >= 0) std::printf("%.2f", static_cast<double>(all - none) / kCount);
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace
}  // namespace quant_ops

int main() {
  using namespace quant_ops;
  if (instruction_set() == nullptr) {
    std::fprintf(stderr, "QUANT_OPS_ISA must be portable, avx2 or avx512\n");
    return 2;
  }
  std::printf("isa,op,arguments,rounding,dtype,cycles,nanoseconds,instructions\n");
  for (const Type& type : kTypes) {
    for (const Case& one : all_cases()) {
      std::vector<Rounding> roundings = one.roundings;
      if (roundings.empty()) roundings = {Rounding::kNearestEven};
      for (const Rounding rounding : roundings) measure(one, type, rounding);
    }
  }
}
