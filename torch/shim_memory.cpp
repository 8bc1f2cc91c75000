// Memory of tensors on the CPU. The large ones come and go by the thousand in sizes that change with every batch; among the
// small objects of malloc's heap they leave holes that no later tensor fits, and the kernel zeroes the pages that malloc
// gives back. So they get a heap of their own: best fit, neighbours joined, pages kept.
#include "shim.h"
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

namespace {

constexpr size_t kLarge = 128 << 10; // from here on a tensor is large
constexpr size_t kLine = 64;
constexpr size_t kGrowth = 2 << 20; // of the used part of the reserved addresses

class LargeHeap {
public:
  LargeHeap() {
    size_t bytes = 4 * (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE); // addresses, not memory
    void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return;
    base_ = top_ = (char *)(((uintptr_t)p + kGrowth - 1) / kGrowth * kGrowth), end_ = (char *)p + bytes;
  }

  // take returns at least n bytes, or null where the addresses are used up.
  void *take(size_t n) {
    n = (n + 2 * kLine - 1) / kLine * kLine; // a line more: else tensors of a power of two would share cache sets
    std::lock_guard<std::mutex> guard(lock_);
    auto fit = by_size_.lower_bound({n, nullptr});
    if (fit == by_size_.end() && !grow(n)) return nullptr;
    if (fit == by_size_.end()) fit = by_size_.lower_bound({n, nullptr});
    auto [size, at] = *fit;
    remove(free_.find(at));
    if (size - n >= kLarge) insert(at + n, size - n);
    else n = size;
    used_[at] = n;
    return at;
  }

  bool owns(void *p) const { return p >= base_ && p < end_; }

  void give(void *p) {
    std::lock_guard<std::mutex> guard(lock_);
    auto found = used_.find((char *)p);
    auto [at, size] = *found;
    used_.erase(found);
    insert(at, size);
  }

  // release hands the pages of free blocks to the kernel.
  void release() {
    std::lock_guard<std::mutex> guard(lock_);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (auto [at, size] : free_) {
      uintptr_t from = ((uintptr_t)at + page - 1) / page * page, to = ((uintptr_t)at + size) / page * page;
      if (to > from) madvise((void *)from, to - from, MADV_DONTNEED);
    }
  }

private:
  bool grow(size_t n) {
    auto last = free_.empty() ? free_.end() : std::prev(free_.end());
    size_t there = last != free_.end() && last->first + last->second == top_ ? last->second : 0;
    size_t more = (n - there + kGrowth - 1) / kGrowth * kGrowth;
    if (!top_ || more > (size_t)(end_ - top_)) return false;
    top_ += more;
    insert(top_ - more, more);
    return true;
  }

  void insert(char *at, size_t size) { // joins neighbours
    auto next = free_.lower_bound(at);
    if (next != free_.end() && at + size == next->first) {
      size += next->second;
      next = remove(next);
    }
    if (next != free_.begin() && std::prev(next)->first + std::prev(next)->second == at) {
      auto before = std::prev(next);
      at = before->first, size += before->second;
      remove(before);
    }
    free_[at] = size;
    by_size_.insert({size, at});
  }
  std::map<char *, size_t>::iterator remove(std::map<char *, size_t>::iterator block) {
    by_size_.erase({block->second, block->first});
    return free_.erase(block);
  }

  std::mutex lock_;
  char *base_ = nullptr, *top_ = nullptr, *end_ = nullptr;
  std::map<char *, size_t> free_;
  std::set<std::pair<size_t, char *>> by_size_;
  std::unordered_map<char *, size_t> used_;
};

LargeHeap &heap() {
  static auto *it = new LargeHeap; // outlives every tensor
  return *it;
}

// Pages is libtorch's allocator for the CPU: large tensors from the heap above, small ones as ever.
class Pages final : public c10::Allocator {
public:
  c10::DataPtr allocate(size_t n) override {
    void *p = n < kLarge ? nullptr : heap().take(n);
    return p ? c10::DataPtr(p, p, &free, at::kCPU) : small()->allocate(n);
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free; }
  void copy_data(void *to, const void *from, size_t n) const override { default_copy_data(to, from, n); }

private:
  static c10::Allocator *small() { return c10::GetDefaultCPUAllocator(); }
  static void free(void *p) {
    if (heap().owns(p)) heap().give(p);
    else small()->raw_deleter()(p);
  }
};

} // namespace

// What malloc still serves keeps its pages as well. One arena for all threads: goroutines wander between threads, and pages
// that one thread's arena keeps are of no use to the next.
__attribute__((constructor)) static void keep_pages() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  mallopt(M_TOP_PAD, 64 << 20);
  mallopt(M_ARENA_MAX, 1);
  c10::SetCPUAllocator(new Pages, 1);
}

void revela_malloc_trim(void) {
  heap().release();
  malloc_trim(0);
}
