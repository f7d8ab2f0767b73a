// A team of threads: each does its part, an exception of any is thrown when all have ended, and the
// team goes on afterwards.
#include "../linear/team.h"

#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.h"

namespace quant_ops::linear {
namespace {

void check_parts(Team& team, int count) {
  std::vector<int> calls(team.size());
  Barrier barrier(count);
  std::atomic<int> arrived{0};
  team.run(count, [&](int id) {
    ++calls[id];
    ++arrived;
    barrier.wait(id);
    CHECK(arrived == count);
  });
  for (int id = 0; id < team.size(); ++id) CHECK(calls[id] == (id < count ? 1 : 0));
}

void check_exception(Team& team, int thrower) {
  std::atomic<int> ended{0};
  std::string said;
  try {
    team.run(team.size(), [&](int id) {
      if (id == thrower) throw std::runtime_error(std::to_string(id));
      ++ended;
    });
  } catch (const std::runtime_error& error) {
    said = error.what();
  }
  CHECK(said == std::to_string(thrower));
  CHECK(ended == team.size() - 1);
}

}  // namespace
}  // namespace quant_ops::linear

int main() {
  using quant_ops::linear::Team;
  for (int size = 1; size < 9; ++size) {
    Team team(size);
    CHECK(team.size() == size);
    for (int round = 0; round < 50; ++round) {
      for (int count = 1; count <= size; ++count) quant_ops::linear::check_parts(team, count);
      quant_ops::linear::check_exception(team, round % size);
    }
  }
  std::puts("passed with any instruction set");
}
