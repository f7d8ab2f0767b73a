// Threads that work on the same steps and wait for each other many times a millisecond.
#ifndef QUANT_OPS_LINEAR_TEAM_H_
#define QUANT_OPS_LINEAR_TEAM_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace quant_ops::linear {

// All of `size` threads arrive before any leaves. Each tells the others in a line of its own, which
// then travels once. Waiting is spinning for some microseconds, which a step takes at most; a
// thread that waits longer gives its processor away.
class Barrier {
 public:
  explicit Barrier(int size) : arrived_(size) {}

  void wait(int id) {
    if (arrived_.size() == 1) return;
    const uint32_t round = arrived_[id].round.load(std::memory_order_relaxed) + 1;
    arrived_[id].round.store(round, std::memory_order_release);
    for (const Line& other : arrived_) {
      for (int spins = 0; other.is_before(round); ++spins) {
        if (spins > 4000) {
          std::this_thread::yield();
        } else {
          pause();
        }
      }
    }
  }

 private:
  struct alignas(128) Line {
    std::atomic<uint32_t> round{0};

    bool is_before(uint32_t other) const {
      return static_cast<int32_t>(round.load(std::memory_order_acquire) - other) < 0;
    }
  };

  static void pause() {
#if defined(__x86_64__)
    _mm_pause();
#endif
  }

  std::vector<Line> arrived_;
};

// Runs work(id) for id in [0, size) at the same time, id 0 on the calling thread.
template <class Work>
inline void run_team(int size, const Work& work) {
  std::vector<std::thread> others;
  for (int id = 1; id < size; ++id) others.emplace_back([&work, id] { work(id); });
  work(0);
  for (std::thread& other : others) other.join();
}

// The id-th of `size` nearly equal parts of [0, count), with borders at multiples of `unit`.
struct Part {
  int64_t begin, end;

  Part(int64_t count, int64_t unit, int size, int id) {
    const int64_t units = (count + unit - 1) / unit;
    begin = units * id / size * unit;
    end = units * (id + 1) / size * unit;
    if (end > count) end = count;
  }
};

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_TEAM_H_
