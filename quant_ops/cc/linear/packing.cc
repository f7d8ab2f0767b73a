#include "packing.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

namespace quant_ops::linear {
namespace {

template <class T>
void read_row(const Features& features, int64_t row, double* out) {
  const T* const in = static_cast<const T*>(features.data) + row * features.columns;
  const double* const scales = features.column_scales;
  for (int64_t j = 0; j < features.columns; ++j) {
    out[j] = static_cast<double>(in[j]) * (scales == nullptr ? 1.0 : scales[j]);
  }
}

// A row in double.
void read_row(const Features& features, int64_t row, double* out) {
  switch (features.type) {
    case ElementType::kUint8:
      read_row<uint8_t>(features, row, out);
      break;
    case ElementType::kFloat:
      read_row<float>(features, row, out);
      break;
    case ElementType::kDouble:
      read_row<double>(features, row, out);
      break;
  }
}

int64_t rounded_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

// Rows that are a power of two apart would share a few of a cache's sets.
int64_t spread(int64_t bytes) { return bytes % 4096 == 0 ? bytes + 64 : bytes; }

void write_nibbles(const int16_t* values, int64_t columns, uint8_t* out) {
  for (int64_t unit = 0; unit < columns; unit += kColumnUnit) {
    for (int i = 0; i < 32; ++i) {
      const int low = values[unit + i] + 8, high = values[unit + 32 + i] + 8;
      out[unit / 2 + i] = static_cast<uint8_t>(low | high << 4);
    }
  }
}

}  // namespace

FeatureStatistics statistics(const Features& features, int64_t rows, Team& team) {
  // Parts do not depend on the number of threads, so neither does the sum.
  constexpr int64_t kPart = 1024;
  const int64_t parts = (rows + kPart - 1) / kPart;
  std::vector<FeatureStatistics> found(parts);
  std::atomic<int64_t> next{0};
  team.run(team.size(), [&](int) {
    std::vector<double> row(features.columns);
    for (int64_t part; (part = next++) < parts;) {
      FeatureStatistics own;
      for (int64_t i = part * kPart; i < std::min(rows, (part + 1) * kPart); ++i) {
        read_row(features, i, row.data());
        double square = 0, largest = own.largest, smallest = 0;
        for (int64_t j = 0; j < features.columns; ++j) {
          largest = std::max(largest, std::fabs(row[j]));
          smallest = std::min(smallest, row[j]);
          square += row[j] * row[j];
        }
        own.largest = largest;
        own.has_negative = own.has_negative || smallest < 0;
        own.mean_square += square;
      }
      found[part] = own;
    }
  });
  FeatureStatistics total;
  for (const FeatureStatistics& own : found) {
    total.largest = std::max(total.largest, own.largest);
    total.mean_square += own.mean_square;
    total.has_negative = total.has_negative || own.has_negative;
  }
  total.mean_square /= static_cast<double>(rows) * static_cast<double>(features.columns);
  return total;
}

double FeatureStatistics::intercept_value() const {
  return mean_square > 0 ? std::sqrt(mean_square) : 1.0;
}

PackedIntegers pack_integers(const Features& features, const FeatureStatistics& facts,
                             const std::vector<int64_t>& order, int data_bits, bool wide,
                             Team& team) {
  const int64_t rows = static_cast<int64_t>(order.size()), columns = model_columns(features);
  const int64_t padded = rounded_up(columns, kColumnUnit);
  const double largest = facts.largest > 0 ? facts.largest : facts.intercept_value();
  const double limit = (1 << (data_bits - 1)) - 1;
  PackedIntegers packed;
  packed.scale = largest / limit;
  const double intercept = std::max(1.0, std::rint(facts.intercept_value() / packed.scale));
  packed.intercept_value = intercept * packed.scale;
  packed.storage = data_bits == 16              ? Storage::kInt16
                   : data_bits == 4 && !wide    ? Storage::kInt4
                   : facts.has_negative || wide ? Storage::kInt8
                                                : Storage::kUnsignedInt7;
  const int64_t bytes = packed.storage == Storage::kInt16  ? 2 * rounded_up(columns, 32)
                        : packed.storage == Storage::kInt4 ? padded / 2
                                                           : padded;
  packed.stride = spread(bytes);
  packed.data = Array<uint8_t>(rows * packed.stride);
  std::vector<double> squares(rows);
  team.run(team.size(), [&](int id) {
    std::vector<double> row(columns);
    std::vector<int16_t> values(padded);
    const Part part(rows, 1, team.size(), id);
    for (int64_t i = part.begin; i < part.end; ++i) {
      read_row(features, order[i], row.data());
      if (features.has_intercept) row[features.columns] = packed.intercept_value;
      double square = 0;
      for (int64_t j = 0; j < columns; ++j) {
        const double n = std::min(limit, std::max(-limit, std::rint(row[j] / packed.scale)));
        values[j] = static_cast<int16_t>(static_cast<int32_t>(n));
        square += n * n;
      }
      squares[i] = square;
      uint8_t* const out = packed.data.data() + i * packed.stride;
      if (packed.storage == Storage::kInt16) {
        std::memcpy(out, values.data(), 2 * columns);
      } else if (packed.storage == Storage::kInt4) {
        write_nibbles(values.data(), padded, out);
      } else {
        for (int64_t j = 0; j < columns; ++j) out[j] = static_cast<uint8_t>(values[j]);
      }
    }
  });
  double total = 0;
  for (const double square : squares) total += square;
  packed.mean_square_norm = total / static_cast<double>(rows) * packed.scale * packed.scale;
  return packed;
}

template <class Real>
PackedFloats<Real> pack_floats(const Features& features, const FeatureStatistics& facts,
                               const std::vector<int64_t>& order, Team& team) {
  const int64_t rows = static_cast<int64_t>(order.size()), columns = model_columns(features);
  constexpr int64_t kLine = 64 / sizeof(Real);
  PackedFloats<Real> packed;
  packed.stride = spread(rounded_up(columns, kLine) * sizeof(Real)) / sizeof(Real);
  packed.data = Array<Real>(rows * packed.stride);
  packed.intercept_value = facts.intercept_value();
  team.run(team.size(), [&](int id) {
    std::vector<double> row(columns);
    const Part part(rows, 1, team.size(), id);
    for (int64_t i = part.begin; i < part.end; ++i) {
      read_row(features, order[i], row.data());
      if (features.has_intercept) row[features.columns] = packed.intercept_value;
      Real* const out = packed.data.data() + i * packed.stride;
      for (int64_t j = 0; j < columns; ++j) out[j] = static_cast<Real>(row[j]);
    }
  });
  return packed;
}

template PackedFloats<float> pack_floats<float>(const Features&, const FeatureStatistics&,
                                                const std::vector<int64_t>&, Team&);
template PackedFloats<double> pack_floats<double>(const Features&, const FeatureStatistics&,
                                                  const std::vector<int64_t>&, Team&);

}  // namespace quant_ops::linear
