// Work that threads take in turn.
#pragma once
#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>
#include <algorithm>
#include <atomic>

namespace revela {

// take_turns runs work(begin, end) for all of total tasks on at most so many threads. A thread takes the next few tasks when it is
// done with its last ones: cores of one machine are not equally fast, least of all those that are lent. A task's result must
// not depend on the thread that takes it.
template <class F> void take_turns(int64_t total, int64_t few, int64_t threads, F work) {
  std::atomic<int64_t> next{0};
  at::parallel_for(0, std::min<int64_t>(threads, at::get_num_threads()), 1, [&](int64_t, int64_t) {
    for (int64_t at; (at = next.fetch_add(few)) < total;) work(at, std::min(total, at + few));
    at::native::cpublas::brgemm_release();
  });
}

} // namespace revela
