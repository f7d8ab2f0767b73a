// CHECK that works in optimised builds, and says where and what.
#ifndef QUANT_OPS_TESTS_CHECK_H_
#define QUANT_OPS_TESTS_CHECK_H_

#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                             \
    }                                                                           \
  } while (false)

#endif  // QUANT_OPS_TESTS_CHECK_H_
