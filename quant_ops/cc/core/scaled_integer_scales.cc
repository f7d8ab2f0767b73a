// Compiled once. No subnormal number is involved, so the thread's treatment of them does not show.
#include "scaled_integer_scales.h"

#include <algorithm>
#include <cmath>

#include "cache_blocks.h"
#include "float_types.h"
#include "word_limits.h"

namespace quant_ops {
namespace {

using portable::Carrier;

// Patterns of up to this many elements are written out, so that most blocks find their columns
// ready: 64 KiB in float.
constexpr int64_t kLongestPattern = 4096;

double carrier_max(CarrierType type) {
  switch (type) {
    case CarrierType::kHalf:
      return Carrier<portable::Half>::kMax;
    case CarrierType::kBFloat16:
      return Carrier<portable::BFloat16>::kMax;
    case CarrierType::kFloat:
      return Carrier<float>::kMax;
    case CarrierType::kDouble:
      break;
  }
  return Carrier<double>::kMax;
}

Quotient choose_quotient(const ScaledIntegerSpec& spec, CarrierType type, CarrierType scale_type,
                         const std::vector<double>& scales) {
  const bool narrow = type != CarrierType::kDouble && scale_type != CarrierType::kDouble;
  if (!narrow || spec.overflow != Overflow::kSaturate || spec.word_bits > 20) {
    return Quotient::kRounded;
  }
  const auto moderate = [](double s) { return s == 0 || (0x1p-80 <= s && s <= 0x1p80); };
  const bool all = std::all_of(scales.begin(), scales.end(), moderate);
  return all ? Quotient::kExactInFloat : Quotient::kExactInDouble;
}

// Four columns behind each other: every channel's values `repeats` times, then all of that again up
// to `length`. The limits are those of the word, no further than the carrier's maximum reaches; a
// scale of 0 (or below the normal numbers, whose quotients would not be accurate) leaves 0 alone.
template <class C>
ScaleColumns<C> fill_columns(int word_bits, double carrier_max, const std::vector<double>& scales,
                             int64_t repeats, int64_t length, std::vector<C>* storage) {
  const uint64_t half = uint64_t{1} << (word_bits - 1);
  const double low = static_cast<double>(half);
  const double high = static_cast<double>(portable::truncate_integer(half - 1, 53));
  storage->resize(4 * length);
  C* const columns = storage->data();
  C* out = columns;
  for (const double scale : scales) {
    C entry[4] = {};
    if (scale >= portable::power(-1022)) {
      const double reach = std::floor(carrier_max / scale);
      entry[0] = static_cast<C>(scale);
      entry[1] = static_cast<C>((1 - 0x1.8p-23) / scale);
      entry[2] = static_cast<C>(-std::min(low, reach));
      entry[3] = static_cast<C>(std::min(high, reach));
    }
    for (int column = 0; column < 4; ++column) {
      std::fill_n(out + column * length, repeats, entry[column]);
    }
    out += repeats;
  }
  const int64_t period = out - columns;
  for (int column = 0; column < 4; ++column) {
    for (int64_t i = period; i < length; ++i) {
      columns[column * length + i] = columns[column * length + i - period];
    }
  }
  return {columns, columns + length, columns + 2 * length, columns + 3 * length};
}

}  // namespace

ScaleTable::ScaleTable(const ScaledIntegerSpec& spec, CarrierType type, CarrierType scale_type,
                       const std::vector<double>& scales, int64_t inner) {
  const int64_t count = static_cast<int64_t>(scales.size());
  if (count == 0 || inner == 0) return;  // then there is no element
  const int64_t repeats = inner <= kLongestPattern / count ? inner : 1;
  scales_.quotient = choose_quotient(spec, type, scale_type, scales);
  scales_.count = count * repeats;
  scales_.inner = inner / repeats;
  const int64_t length = scales_.count + (scales_.inner == 1 ? portable::kBlock : 0);
  const double max = carrier_max(type);
  if (scales_.quotient == Quotient::kExactInFloat) {
    scales_.floats = fill_columns(spec.word_bits, max, scales, repeats, length, &floats_);
  } else {
    scales_.doubles = fill_columns(spec.word_bits, max, scales, repeats, length, &doubles_);
  }
}

}  // namespace quant_ops
