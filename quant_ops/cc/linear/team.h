// Threads that work on the same steps and wait for each other many times a millisecond.
#ifndef QUANT_OPS_LINEAR_TEAM_H_
#define QUANT_OPS_LINEAR_TEAM_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace quant_ops::linear {

// All of `size` threads arrive before any leaves. Each tells the others in a line of its own, which
// then travels once. Waiting is spinning for some microseconds, which a step takes at most; a
// thread that waits longer gives its processor away. Between two barriers nothing may throw: the
// others would wait for ever.
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

// Threads that are there from the beginning, so that work that has begun can be ended. They live as
// long as an epoch: none is lost in a fork of the process between two.
class Team {
 public:
  // Throws std::system_error or std::bad_alloc where a thread cannot be started; none is left then.
  explicit Team(int size) {
    try {
      others_.reserve(size - 1);
      for (int id = 1; id < size; ++id) others_.emplace_back([this, id] { serve(id); });
    } catch (...) {
      dismiss();
      throw;
    }
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() { dismiss(); }

  int size() const { return static_cast<int>(others_.size()) + 1; }

  // Runs work(id) for id in [0, count) at the same time, id 0 on the calling thread; count is at
  // most size(). When all have ended, throws what one of them has thrown.
  template <class Work>
  void run(int count, const Work& work) {
    if (count == 1) return work(0);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      work_ = std::cref(work);  // which allocates nothing
      count_ = count;
      left_ = count - 1;
      ++round_;
    }
    begun_.notify_all();
    attempt(0);
    std::unique_lock<std::mutex> lock(mutex_);
    ended_.wait(lock, [this] { return left_ == 0; });
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void serve(int id) {
    uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      begun_.wait(lock, [&] { return dismissed_ || round_ != seen; });
      if (dismissed_) return;
      seen = round_;
      if (id >= count_) continue;
      lock.unlock();
      attempt(id);
      lock.lock();
      if (--left_ == 0) ended_.notify_one();
    }
  }

  void attempt(int id) {
    try {
      work_(id);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (error_ == nullptr) error_ = std::current_exception();
    }
  }

  void dismiss() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      dismissed_ = true;
    }
    begun_.notify_all();
    for (std::thread& other : others_) other.join();
  }

  std::mutex mutex_;
  std::condition_variable begun_, ended_;
  std::function<void(int)> work_;
  int count_ = 0, left_ = 0;
  uint64_t round_ = 0;
  bool dismissed_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> others_;
};

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
