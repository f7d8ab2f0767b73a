#include "packing.h"

#include <algorithm>
#include <cmath>

#include "packed_rows.h"
#include "tiles.h"
#include "write_lines.h"

namespace quant_ops::linear {
namespace {

int64_t rounded_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

// Rows that are a power of two apart would share a few of a cache's sets.
int64_t spread(int64_t bytes) { return bytes % 4096 == 0 ? bytes + 64 : bytes; }

// (x - centre) * scale / unit.
std::vector<double> column_factors(const Features& features, double unit) {
  std::vector<double> factors(features.columns, 1.0 / unit);
  for (int64_t j = 0; j < features.columns && features.column_scales != nullptr; ++j) {
    factors[j] = features.column_scales[j] / unit;
  }
  return factors;
}

// Sums of squares of the rows of a part.
struct RowSquares {
  double sum = 0;
  double largest = 0;  // times the sample's weight, as a multiple of the mean weight
};

// A thread's work: converts rows, and writes them to their places some at a time. Squared norms
// include the intercept's constant.
template <class Real, class Rows>
class RowWriter {
 public:
  RowWriter(const RowShape& shape, const Source& source, const Samples& samples, uint8_t* to,
            int64_t stride)
      : shape_(shape),
        weights_(source.data.rows.weights),
        samples_(samples),
        to_(to),
        stride_(stride),
        rows_(shape) {}
  RowWriter(RowWriter&&) = default;

  void convert(const Tile<Real>& tile, RowSquares* squares) {
    for (int i = 0; i < tile.count; ++i) {
      const int64_t row = tile.first + i;
      const double square = rows_.fill(filled_, tile.row(i)) + shape_.constant_square;
      squares->sum += square;
      squares->largest = std::max(squares->largest, square * relative_weight(row));
      if (filled_ == 0) first_ = row;
      if (++filled_ == rows_.capacity()) write();
    }
  }
  void write() {
    const LineWriter lines;
    for (int64_t i = 0; i < filled_; ++i) {
      lines.write(rows_.line(i), shape_.bytes, to_ + samples_.places[first_ + i] * stride_);
    }
    filled_ = 0;
  }

 private:
  // Of the caller's row, as a multiple of the mean weight.
  double relative_weight(int64_t row) const {
    return weights_ == nullptr ? 1.0 : weights_[row] * static_cast<double>(samples_.rows());
  }

  const RowShape shape_;
  const double* const weights_;
  const Samples& samples_;
  uint8_t* const to_;
  const int64_t stride_;
  Rows rows_;
  int64_t first_ = 0, filled_ = 0;
};

// Row i goes to samples.places[i]: what is read, in the order of the user's memory, is four times
// as much as what is written.
template <class Real, class Rows>
RowSquares write_rows(const Source& source, const Samples& samples, const RowShape& shape, void* to,
                      int64_t stride) {
  const Features& features = source.data.features;
  const Parts parts(features, samples.rows());
  std::vector<RowSquares> found(parts.count());
  parts.run<Real>(features, source.team, [&] {
    return [&, writer = RowWriter<Real, Rows>(shape, source, samples, static_cast<uint8_t*>(to),
                                              stride)](const Tile<Real>& tile, int64_t part,
                                                       bool is_last) mutable {
      writer.convert(tile, &found[part]);
      if (is_last) writer.write();
    };
  });
  RowSquares all;
  for (const RowSquares& part : found) {
    all.sum += part.sum;
    all.largest = std::max(all.largest, part.largest);
  }
  return all;
}

template <class Real>
RowSquares write_integers(const Source& source, const Samples& samples, const RowShape& shape,
                          PackedIntegers* packed) {
  const auto run = packed->storage == Storage::kInt16  ? write_rows<Real, PlainRows<Real, int16_t>>
                   : packed->storage == Storage::kInt4 ? write_rows<Real, NibbleRows<Real>>
                                                       : write_rows<Real, PlainRows<Real, int8_t>>;
  return run(source, samples, shape, packed->data.data(), packed->stride);
}

}  // namespace

PackedIntegers pack_integers(const Source& source, const Samples& samples, int data_bits,
                             bool wide) {
  const Features& features = source.data.features;
  const FeatureStatistics& facts = source.facts;
  const double largest = facts.largest > 0 ? facts.largest : facts.intercept_value();
  const int32_t limit = (1 << (data_bits - 1)) - 1;
  PackedIntegers packed;
  packed.scale = largest / limit;
  packed.intercept = 0;
  if (features.has_intercept) {
    const double units = std::max(1.0, std::rint(facts.intercept_value() / packed.scale));
    packed.intercept = static_cast<int32_t>(std::min<double>(units, limit));
  }
  packed.intercept_value = packed.intercept * packed.scale;
  packed.storage = data_bits == 16              ? Storage::kInt16
                   : data_bits == 4 && !wide    ? Storage::kInt4
                   : facts.has_negative || wide ? Storage::kInt8
                                                : Storage::kUnsignedInt7;
  const int64_t padded = rounded_up(features.columns, kColumnUnit);
  const int64_t bytes = packed.storage == Storage::kInt16
                            ? 2 * rounded_up(model_columns(features), 32)
                        : packed.storage == Storage::kInt4 ? padded / 2
                                                           : padded;
  packed.stride = spread(bytes);
  packed.data = Array<uint8_t>(samples.rows() * packed.stride, Unwritten{});
  const std::vector<double> factors = column_factors(features, packed.scale);
  const RowShape shape{features.columns,
                       bytes,
                       {features.column_centres, factors.data()},
                       static_cast<double>(packed.intercept) * packed.intercept,
                       limit};
  const RowSquares squares = fits_float(features.type)
                                 ? write_integers<float>(source, samples, shape, &packed)
                                 : write_integers<double>(source, samples, shape, &packed);
  packed.mean_square_norm =
      squares.sum / static_cast<double>(samples.rows()) * packed.scale * packed.scale;
  packed.largest_row = squares.largest * packed.scale * packed.scale;
  return packed;
}

template <class Real>
PackedFloats<Real> pack_floats(const Source& source, const Samples& samples) {
  const Features& features = source.data.features;
  constexpr int64_t kLine = 64 / sizeof(Real);
  const int64_t bytes = rounded_up(features.columns, kLine) * static_cast<int64_t>(sizeof(Real));
  PackedFloats<Real> packed;
  packed.stride = spread(bytes) / static_cast<int64_t>(sizeof(Real));
  packed.columns = bytes / static_cast<int64_t>(sizeof(Real));
  packed.data = Array<Real>(samples.rows() * packed.stride, Unwritten{});
  packed.intercept_value = features.has_intercept ? source.facts.intercept_value() : 0;
  const std::vector<double> factors = column_factors(features, 1.0);
  const RowShape shape{features.columns,
                       bytes,
                       {features.column_centres, factors.data()},
                       packed.intercept_value * packed.intercept_value};
  const auto run = fits_float(features.type) ? write_rows<float, PlainRows<float, Real>>
                                             : write_rows<double, PlainRows<double, Real>>;
  packed.largest_row = run(source, samples, shape, packed.data.data(), spread(bytes)).largest;
  return packed;
}

template PackedFloats<float> pack_floats<float>(const Source&, const Samples&);
template PackedFloats<double> pack_floats<double>(const Source&, const Samples&);

}  // namespace quant_ops::linear
