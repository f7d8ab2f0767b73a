// The first reading of the user's features: what is known of each column.
#ifndef QUANT_OPS_LINEAR_COLUMN_SURVEY_H_
#define QUANT_OPS_LINEAR_COLUMN_SURVEY_H_

#include <cstdint>
#include <vector>

#include "features.h"
#include "team.h"

namespace quant_ops::linear {

// Per column, in the user's units.
struct ColumnSurvey {
  std::vector<double> low, high;
  std::vector<double> squares;  // their sum; not finite if a number is not
};

// One pass over the data; the result does not depend on the number of threads.
ColumnSurvey survey(const Features& features, int64_t rows, Team& team);

// Of all the features, centred and scaled.
struct FeatureStatistics {
  double largest = 0;      // |x|
  double mean_square = 0;  // of an element; not finite if an element is not
  bool has_negative = false;

  double intercept_value() const;
};
FeatureStatistics summary(const ColumnSurvey& columns, const Features& features, int64_t rows);

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_COLUMN_SURVEY_H_
