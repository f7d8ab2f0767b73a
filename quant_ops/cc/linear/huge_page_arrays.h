// Large arrays for the loops: aligned to huge pages, which the system is asked for, zeroed, with
// room behind the end for loops that read further.
#ifndef QUANT_OPS_LINEAR_HUGE_PAGE_ARRAYS_H_
#define QUANT_OPS_LINEAR_HUGE_PAGE_ARRAYS_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace quant_ops::linear {

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

struct Unwritten {};

template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(int64_t size) : Array(size, Unwritten{}) {
    std::memset(memory_.get(), 0, static_cast<std::size_t>(size) * sizeof(T));
  }
  // Of which the caller writes every element: what is large is best written by several threads.
  Array(int64_t size, Unwritten) : size_(size) {
    constexpr std::size_t kPage = std::size_t{2} << 20, kLine = 64, kSlack = 4096;
    const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(T) + kSlack;
    const std::size_t alignment = bytes < kPage ? kLine : kPage;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* const memory = std::aligned_alloc(alignment, rounded);
    if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
    if (alignment == kPage) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    memory_.reset(static_cast<T*>(memory));
    const std::size_t used = static_cast<std::size_t>(size) * sizeof(T);
    std::memset(static_cast<char*>(memory) + used, 0, rounded - used);
  }

  T* data() { return memory_.get(); }
  const T* data() const { return memory_.get(); }
  T& operator[](int64_t i) { return memory_.get()[i]; }
  const T& operator[](int64_t i) const { return memory_.get()[i]; }
  int64_t size() const { return size_; }

 private:
  std::unique_ptr<T, FreeMemory> memory_;
  int64_t size_ = 0;
};

// Asks for memory that is needed soon.
inline void fetch_range(const void* first, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += 64) {
    __builtin_prefetch(static_cast<const char*>(first) + at, 0, 2);
  }
}

}  // namespace quant_ops::linear

#endif  // QUANT_OPS_LINEAR_HUGE_PAGE_ARRAYS_H_
