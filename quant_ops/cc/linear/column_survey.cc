#include "column_survey.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tiles.h"

namespace quant_ops::linear {
namespace {

template <class Real>
ColumnSurvey survey_as(const Features& features, int64_t rows, Team& team) {
  const int64_t columns = features.columns;
  const Parts parts(features, rows);
  // One after the other, as the numbers of a part are of no use to another.
  Array<Real> low(parts.count() * columns, Unwritten{}), high(parts.count() * columns, Unwritten{});
  Array<double> squares(parts.count() * columns, Unwritten{});
  constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
  parts.run<Real>(features, team, [&] {
    return [&, begun = int64_t{-1}](const Tile<Real>& tile, int64_t part, bool) mutable {
      const int64_t at = part * columns;
      if (part != begun) {
        std::fill_n(low.data() + at, columns, kInfinity);
        std::fill_n(high.data() + at, columns, -kInfinity);
        std::fill_n(squares.data() + at, columns, 0.0);
        begun = part;
      }
      data_kernels_from<Real>().survey(tile.data, tile.stride, tile.count, columns, low.data() + at,
                                       high.data() + at, squares.data() + at);
    };
  });
  ColumnSurvey all;
  all.low.assign(low.data(), low.data() + columns);
  all.high.assign(high.data(), high.data() + columns);
  all.squares.assign(squares.data(), squares.data() + columns);
  for (int64_t part = 1; part < parts.count(); ++part) {
    for (int64_t j = 0; j < columns; ++j) {
      const int64_t at = part * columns + j;
      all.low[j] = std::min(all.low[j], static_cast<double>(low[at]));
      all.high[j] = std::max(all.high[j], static_cast<double>(high[at]));
      all.squares[j] += squares[at];
    }
  }
  return all;
}

}  // namespace

ColumnSurvey survey(const Features& features, int64_t rows, Team& team) {
  return fits_float(features.type) ? survey_as<float>(features, rows, team)
                                   : survey_as<double>(features, rows, team);
}

FeatureStatistics summary(const ColumnSurvey& columns, const Features& features, int64_t rows) {
  FeatureStatistics all;
  for (int64_t j = 0; j < features.columns; ++j) {
    const double scale = features.column_scales == nullptr ? 1.0 : features.column_scales[j];
    const double centre = features.column_centres == nullptr ? 0.0 : features.column_centres[j];
    const double low = (columns.low[j] - centre) * scale, high = (columns.high[j] - centre) * scale;
    all.largest = std::max(all.largest, std::max(std::fabs(low), std::fabs(high)));
    all.has_negative = all.has_negative || low < 0;
    all.mean_square += columns.squares[j] * scale * scale;
  }
  all.mean_square /= static_cast<double>(rows) * static_cast<double>(features.columns);
  return all;
}

double FeatureStatistics::intercept_value() const {
  return mean_square > 0 ? std::sqrt(mean_square) : 1.0;
}

}  // namespace quant_ops::linear
