// The fuzzers' command line: PROGRAM SEED COUNT checks seeds SEED, SEED + 1, .., SEED + COUNT - 1.
#ifndef QUANT_OPS_TESTS_RUN_SEEDS_H_
#define QUANT_OPS_TESTS_RUN_SEEDS_H_

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "../core/quantize.h"

namespace quant_ops {

// check(seed) returns a hash of its results, and does not return where something is wrong. A child
// does the work, so that whatever ends it (CHECK, a sanitizer, a signal) the seed is known.
inline int run_seeds(int argc, char** argv, uint64_t (*check)(uint64_t)) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s SEED COUNT\n", argv[0]);
    return 2;
  }
  const uint64_t seed = std::strtoull(argv[1], nullptr, 0);
  const uint64_t count = std::strtoull(argv[2], nullptr, 0);
  void* const shared =
      mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return std::perror("mmap"), 2;
  volatile uint64_t* const current = static_cast<uint64_t*>(shared);
  *current = seed;
  const pid_t child = fork();
  if (child == 0) {
    uint64_t hash = 0;
    for (uint64_t i = 0; i < count; ++i) {
      *current = seed + i;
      hash = (hash ^ check(seed + i)) * 0x9E3779B97F4A7C15u;
    }
    std::printf("%016llx with %s\n", static_cast<unsigned long long>(hash), instruction_set());
    std::exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) return std::perror("fork"), 2;
  if (status == 0) return 0;
  std::fprintf(stderr, "reproduce with: %s %llu 1\n", argv[0],
               static_cast<unsigned long long>(*current));
  return 1;
}

}  // namespace quant_ops

#endif  // QUANT_OPS_TESTS_RUN_SEEDS_H_
