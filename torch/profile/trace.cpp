// A time line of libtorch's operations, and of a GPU's kernels, as torch.profiler of PyTorch makes it.
#include "trace.h"
#include <algorithm>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <vector>

namespace kineto = torch::autograd::profiler;
using kineto::KinetoEvent;
using torch::profiler::impl::ActivityType;

namespace {

// Kernels are those of one name that operations of one path launched.
struct Kernels {
  int64_t nanoseconds = 0, count = 0;
};

std::map<std::string, Kernels> kernels; // of the last trace, by path: names from the outermost on, each behind a line feed

template <class F> char *guarded(F f) {
  try {
    f();
    return nullptr;
  } catch (const std::exception &e) {
    return strdup(e.what());
  }
}

// paths gives each operation's path by its correlation: those around it on its thread, and itself. Calls of CUDA's runtime, which are
// linked to operations, are none.
std::map<uint64_t, std::string> paths(const std::vector<KinetoEvent> &events) {
  std::map<uint64_t, std::vector<const KinetoEvent *>> threads;
  for (auto &e : events)
    if (e.deviceType() == c10::kCPU && e.correlationId() && !e.linkedCorrelationId()) threads[e.startThreadId()].push_back(&e);
  std::map<uint64_t, std::string> found;
  for (auto &[id, list] : threads) {
    std::sort(list.begin(), list.end(), [](auto *a, auto *b) {
      return a->startNs() != b->startNs() ? a->startNs() < b->startNs() : a->endNs() > b->endNs();
    });
    std::vector<std::pair<uint64_t, std::string>> around; // ends and paths
    for (auto *e : list) {
      while (!around.empty() && around.back().first < e->endNs()) around.pop_back();
      around.emplace_back(e->endNs(), (around.empty() ? "" : around.back().second) + "\n" + e->name());
      found[e->correlationId()] = around.back().second;
    }
  }
  return found;
}

void sum_kernels(const std::vector<KinetoEvent> &events) {
  kernels.clear();
  auto path_of = paths(events);
  for (auto &e : events) {
    if (e.deviceType() == c10::kCPU || e.durationNs() == 0) continue;
    auto at = path_of.find(e.linkedCorrelationId());
    Kernels &k = kernels[at == path_of.end() ? "\n" + e.name() : at->second];
    k.nanoseconds += (int64_t)e.durationNs(), k.count++;
  }
}

} // namespace

char *revela_trace_start(int cuda) {
  return guarded([&] {
    torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO);
    std::set<ActivityType> activities{ActivityType::CPU};
    if (cuda) activities.insert(ActivityType::CUDA);
    kineto::prepareProfiler(config, activities);
    kineto::enableProfiler(config, activities, {at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION});
  });
}

char *revela_trace_stop(const char *path) {
  return guarded([&] {
    auto result = kineto::disableProfiler();
    if (path) result->save(path);
    sum_kernels(result->events());
  });
}

int revela_trace_kernels(int64_t index, const char **path, int64_t *nanoseconds, int64_t *count) {
  if (index >= (int64_t)kernels.size()) return 0;
  auto at = std::next(kernels.begin(), index);
  *path = at->first.c_str(), *nanoseconds = at->second.nanoseconds, *count = at->second.count;
  return 1;
}
