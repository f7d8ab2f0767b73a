// Products of the data with vectors, the intercept's column among them: see integer_solver.h.
#include <algorithm>

#include "integer_solver.h"

namespace quant_ops::linear {

template <class Word, class Sum>
void IntegerSolver<Word, Sum>::forward(const IntegerRows& rows, const Digits<Word>& z, int outputs,
                                       int64_t begin, int64_t end, int64_t* dots,
                                       int64_t dots_stride) const {
  for (int o = 0; o < outputs; ++o) {
    const bool adds = has_intercept_ && end == stored_;
    const int64_t dot = adds ? int64_t{data_.intercept} * z.values[o * z.stride + columns_ - 1] : 0;
    std::fill_n(dots + o * dots_stride, rows.count, dot);
  }
  kernels_.forward(data_.storage, rows, z, outputs, begin, end, dots, dots_stride);
}

template <class Word, class Sum>
void IntegerSolver<Word, Sum>::backward(const IntegerRows& rows, const Digits<Word>& gamma,
                                        int outputs, int64_t begin, int64_t end, Sum* sums) const {
  kernels_.backward(data_.storage, rows, gamma, outputs, begin, end, sums, padded_);
  for (int o = 0; o < outputs && has_intercept_ && end == stored_; ++o) {
    const Word* const of_output = gamma.values + o * gamma.stride;
    int64_t sum = 0;
    for (int r = 0; r < rows.count; ++r) sum += of_output[r];
    sums[o * padded_ + columns_ - 1] = static_cast<Sum>(sum * data_.intercept);
  }
}

template class IntegerSolver<int8_t, int32_t>;
template class IntegerSolver<int16_t, double>;

}  // namespace quant_ops::linear
