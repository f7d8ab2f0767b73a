// The user's features in memory: any order, any ordinary type; read where they are, in tiles.
#ifndef QUANT_OPS_LINEAR_FEATURES_H_
#define QUANT_OPS_LINEAR_FEATURES_H_

#include <cstdint>

namespace quant_ops::linear {

enum class ElementType {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kFloat16,
  kFloat,  // up to here, float holds every number
  kUint32,
  kInt32,
  kUint64,
  kInt64,
  kDouble,
};

constexpr bool fits_float(ElementType type) { return type <= ElementType::kFloat; }

// Element (i, j) is at data + i * row_stride + j * column_stride bytes, aligned to its size. Column
// j of the model is (x_j - column_centres[j]) * column_scales[j]. After the last column, if there
// is an intercept, comes a constant as large as the features are on average.
struct Features {
  ElementType type = ElementType::kFloat;
  const void* data = nullptr;
  int64_t columns = 0;  // in memory
  int64_t row_stride = 0, column_stride = 0;
  const double* column_scales = nullptr;   // null: 1
  const double* column_centres = nullptr;  // null: 0
  bool has_intercept = false;
  bool drops_pages = false;  // whether pages of a mapped file are given back once they are read
};

// Columns of the model: the features', then the intercept's.
inline int64_t model_columns(const Features& features) {
  return features.columns + (features.has_intercept ? 1 : 0);
}

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_FEATURES_H_
