// Threads that quantize shards of the same tensors at once, as TensorFlow's do: for
// ThreadSanitizer, and their results must be those of one thread.
#include <atomic>
#include <thread>
#include <vector>

#include "call.h"
#include "check.h"
#include "random.h"
#include "run_seeds.h"

namespace quant_ops {
namespace {

constexpr int kThreads = 4;
constexpr int kTensors = 3;
constexpr int kShards = 8;

// Runs work(0), .., work(kThreads - 1), all at the same time.
template <class Work>
void run_threads(const Work& work) {
  std::atomic<int> waiting{kThreads};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      --waiting;
      while (waiting > 0) std::this_thread::yield();
      work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// The instruction set is chosen by whoever comes first.
bool check_first_use() {
  float x[kThreads] = {-1.5f, -0.5f, 0.5f, 1.5f};
  run_threads([&](int i) { fixed_point({}, CarrierType::kFloat, x, x, i, i + 1); });
  CHECK(x[0] == -2 && x[1] == 0 && x[2] == 0 && x[3] == 2);
  return true;
}

struct Tensor {
  Call call;
  Array x;
  bool in_place;
  Array out;
  int64_t cuts[kShards + 1];

  explicit Tensor(Random& random)
      : call(draw_call(random)),
        x(draw_array(random, call)),
        in_place(random.one_in(2)),
        out(in_place ? x : Array(x.size())) {
    cuts[0] = call.first_block();
    for (int i = 1; i < kShards; ++i) cuts[i] = random.between(cuts[i - 1], call.end_block());
    cuts[kShards] = call.end_block();
  }

  void quantize(int shard) { call.run(in_place ? out : x, &out, cuts[shard], cuts[shard + 1]); }
};

uint64_t check_tensors(uint64_t seed) {
  static const bool used = check_first_use();
  CHECK(used);
  Random random(seed);
  std::vector<Tensor> tensors;
  for (int i = 0; i < kTensors; ++i) tensors.emplace_back(random);
  run_threads([&](int thread) {
    for (int shard = thread; shard < kShards; shard += kThreads) {
      for (Tensor& tensor : tensors) tensor.quantize(shard);
    }
  });
  uint64_t hash = 0;
  for (const Tensor& tensor : tensors) {
    Array expected = tensor.x;
    const Call& call = tensor.call;
    call.run(tensor.x, &expected, call.first_block(), call.end_block());
    CHECK(tensor.out == expected);
    hash ^= hash_of(expected);
  }
  return hash;
}

}  // namespace
}  // namespace quant_ops

int main(int argc, char** argv) {
  return quant_ops::run_seeds(argc, argv, quant_ops::check_tensors);
}
