// What the arithmetic offers to its callers: plain C++17, no TensorFlow.
//
// The loops behind it are the same source compiled once per instruction set; the best one that the
// machine has is chosen at run time. All give the same bits.
#ifndef QUANT_OPS_CORE_QUANTIZE_H_
#define QUANT_OPS_CORE_QUANTIZE_H_

#include <cstdint>

namespace quant_ops {

enum class CarrierType { kHalf, kBFloat16, kFloat, kDouble };
enum class Rounding {
  kNearestEven,
  kNearestAway,
  kNearestUp,
  kDown,
  kUp,
  kTowardZero,
  kStochastic
};
enum class Overflow { kSaturate, kWrap, kInfinity, kNan };
enum class ScaleRounding { kFloor, kCeil, kUp, kEven };

// Which random bits stochastic rounding uses: see counter_rng.h.
struct Stream {
  uint64_t seed = 0;
  uint64_t counter = 0;
};

struct FixedPointSpec {
  int word_bits = 8;  // 1..64
  int frac_bits = 0;  // -512..512
  bool is_signed = true;
  Rounding rounding = Rounding::kNearestEven;
  Overflow overflow = Overflow::kSaturate;
  Stream stream;
};

// How scaled_integer finds x / scale: see scaled_integer.h and exact_quotient.h.
enum class Quotient { kRounded, kExactInFloat, kExactInDouble };

// What its loops know of each scale, column by column.
template <class C>
struct ScaleColumns {
  const C* scale = nullptr;
  const C* inverse = nullptr;  // slightly below 1 / scale
  const C* low = nullptr;      // the limits of the integer
  const C* high = nullptr;
};

// Element i uses entry (i / inner) % count of `floats` (kExactInFloat) or `doubles`: see ScaleTable.
struct Scales {
  Quotient quotient = Quotient::kRounded;
  int64_t count = 1;
  int64_t inner = 1;
  ScaleColumns<float> floats;
  ScaleColumns<double> doubles;
};

struct ScaledIntegerSpec {
  int word_bits = 8;  // 1..64
  Rounding rounding = Rounding::kStochastic;
  Overflow overflow = Overflow::kSaturate;
  Stream stream;
  Scales scales;
};

// The grid's facts are those of FloatGrid in float_grid.py.
struct MinifloatSpec {
  int mantissa_bits = 0;        // 0..23
  int min_exponent = 0;         // -512..512; with mantissa bits -126..127
  int64_t max_significand = 1;  // below 2^(mantissa_bits + 1)
  int max_exponent = 0;         // at least min_exponent, in the same range
  bool subnormals = true;
  bool odd_bias = false;
  bool signed_zero = true;
  Rounding rounding = Rounding::kNearestEven;
  Overflow overflow = Overflow::kSaturate;  // kInfinity and kNan too, not kWrap
  Stream stream;
};

// Blocks share a power of two; element and rounding are those of a minifloat, or of an integer.
struct BlockScaledSpec {
  int word_bits = 0;      // 2..32: elements up to +-(2^(w-1) - 1) 2^-(w-2); 0: minifloat
  MinifloatSpec element;  // saturates, has subnormals and signed zeros
  ScaleRounding scale_rounding = ScaleRounding::kFloor;
  bool limited_scale = true;  // exponents of the scale in [-127, 127]
  int64_t block_size = 32;
  int64_t inner = 1;  // elements between two neighbours of a block
};

enum class LevelKind { kBinary, kTernary, kSparse };

struct LevelSpec {
  LevelKind kind = LevelKind::kBinary;
  double level = 1;      // a positive number of the array's type; not of kSparse
  double threshold = 0;  // not of kBinary
  Rounding rounding = Rounding::kNearestUp;  // of kBinary, which also knows kStochastic
  Stream stream;
};

// result = a b, whose running sums are rounded after every few terms: see rounded_matmul.h.
constexpr int kTileRows = 32;
constexpr int kTileColumns = 64;

struct Product {
  int64_t batch = 1;
  int64_t rows = 0;
  int64_t terms = 0;
  int64_t columns = 0;
  int64_t every = 1;        // terms between two roundings
  const float* a = nullptr;  // [batch, rows, terms]
  const float* b = nullptr;  // [batch, terms, columns]
  float* result = nullptr;   // [batch, rows, columns]

  static int64_t tiles_of(int64_t count, int64_t size) { return (count + size - 1) / size; }
  int64_t row_tiles() const { return tiles_of(rows, kTileRows); }
  int64_t column_tiles() const { return tiles_of(columns, kTileColumns); }
  int64_t tiles() const { return batch * row_tiles() * column_tiles(); }
};

// True if `scale` is finite and not negative.
bool is_valid_scale(double scale);

// The exact value of the element at `index`, whatever the thread does with subnormals.
double read_element(CarrierType type, const void* data, int64_t index);

// Quantize elements [begin, end) of the arrays `in` and `out` of `type`, which may be the same
// array. Any split of a tensor into such calls gives the same result.
void fixed_point(const FixedPointSpec& spec, CarrierType type, const void* in, void* out,
                 int64_t begin, int64_t end);
void scaled_integer(const ScaledIntegerSpec& spec, CarrierType type, const void* in, void* out,
                    int64_t begin, int64_t end);
void minifloat(const MinifloatSpec& spec, CarrierType type, const void* in, void* out,
               int64_t begin, int64_t end);
void level(const LevelSpec& spec, CarrierType type, const void* in, void* out, int64_t begin,
           int64_t end);

// Quantizes blocks [begin, end). The array is [groups, block_size, inner]: block b is column
// b % inner of group b / inner.
void block_scaled(const BlockScaledSpec& spec, CarrierType type, const void* in, void* out,
                  int64_t begin, int64_t end);

// Tiles [begin, end) of a product; any order and split gives the same result.
void rounded_matmul(const FixedPointSpec& spec, const Product& product, int64_t begin, int64_t end);
void rounded_matmul(const MinifloatSpec& spec, const Product& product, int64_t begin, int64_t end);

// The instruction set in use: "portable", "avx2" or "avx512". The environment variable
// QUANT_OPS_ISA limits the choice; nullptr if its value is none of these.
const char* instruction_set();

}  // namespace quant_ops

#endif  // QUANT_OPS_CORE_QUANTIZE_H_
