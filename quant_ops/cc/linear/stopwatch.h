#ifndef QUANT_OPS_LINEAR_STOPWATCH_H_
#define QUANT_OPS_LINEAR_STOPWATCH_H_

#include <chrono>

namespace quant_ops::linear {

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_STOPWATCH_H_
