// Observes libtorch's operations and backward nodes through at::RecordFunction, and the caller's own.
#include "profile.h"
#include <ATen/record_function.h>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

struct Node {
  std::string name;
  Node *parent;
  int depth;
  int64_t self = 0, count = 0;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  Node(std::string n, Node *p, int d) : name(std::move(n)), parent(p), depth(d) {}
};

// Thread is one OS thread's tree. Time runs for the node that is current; outside all calls, for the root.
struct Thread {
  Node root{"", nullptr, -1};
  Node *at = &root;
  int64_t since = 0;
};

std::mutex lock; // of threads
std::vector<std::shared_ptr<Thread>> threads;
std::atomic<int64_t> generation{0}; // counts starts
std::atomic<bool> on{false};
at::CallbackHandle handle = 0;
std::deque<Node *> listed; // of the last stop

thread_local std::shared_ptr<Thread> mine;
thread_local int64_t mine_of = -1; // the generation of mine

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Thread &thread() {
  if (mine_of != generation) {
    mine = std::make_shared<Thread>();
    mine_of = generation;
    std::lock_guard<std::mutex> guard(lock);
    threads.push_back(mine);
  }
  return *mine;
}

// spend books the time since the last change on the node that is current.
void spend(Thread &t) {
  int64_t time = now();
  t.at->self += time - t.since;
  t.since = time;
}

void begin(const char *name) {
  Thread &t = thread();
  spend(t);
  auto &children = t.at->children;
  auto found = children.find(name);
  if (found == children.end())
    found = children.emplace(name, std::make_unique<Node>(name, t.at, t.at->depth + 1)).first;
  t.at = found->second.get();
  t.at->count++;
}

void end() {
  Thread &t = thread();
  if (!t.at->parent) return; // it began before the profiler did
  spend(t);
  t.at = t.at->parent;
}

void list(Node &node) {
  if (node.parent) listed.push_back(&node);
  for (auto &child : node.children) list(*child.second);
}

std::unique_ptr<at::ObserverContext> on_begin(const at::RecordFunction &f) {
  begin(f.name());
  return nullptr;
}

void on_end(const at::RecordFunction &, at::ObserverContext *) { end(); }

} // namespace

char *revela_profile_start(void) {
  if (on.exchange(true)) return strdup("it is on already");
  {
    std::lock_guard<std::mutex> guard(lock);
    threads.clear();
    listed.clear();
    generation++;
  }
  handle = at::addGlobalCallback(at::RecordFunctionCallback(on_begin, on_end)
                                     .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  return nullptr;
}

void revela_profile_stop(void) {
  if (!on.exchange(false)) return;
  at::removeCallback(handle);
  std::lock_guard<std::mutex> guard(lock);
  listed.clear();
  for (auto &t : threads) list(t->root);
}

void revela_profile_begin(const char *name) { begin(name); }
void revela_profile_end(void) { end(); }

int revela_profile_next(int64_t *cursor, const char **name, int *depth, int64_t *self, int64_t *count) {
  if (*cursor >= (int64_t)listed.size()) return 0;
  const Node *n = listed[(*cursor)++];
  *name = n->name.c_str(), *depth = n->depth, *self = n->self, *count = n->count;
  return 1;
}
