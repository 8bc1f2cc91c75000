// Shared by the shim's C++ files: error guard, handles, vectorised loops.
#pragma once
#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <vector>

// Compiled once for each level of x86-64 and chosen when the program starts.
#define REVELA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

namespace revela {

inline at::Tensor &T(void *p) { return *static_cast<at::Tensor *>(p); }

inline void *release(at::Tensor t) { return new at::Tensor(std::move(t)); }

// guard runs f and turns any C++ exception into a malloc'ed message of one line.
template <class F> char *guard(F f) {
  auto line = [](const char *s) {
    char *copy = strdup(s);
    for (char *c = copy; *c; c++)
      if (*c == '\n') { *c = 0; break; }
    return copy;
  };
  try {
    f();
    return nullptr;
  } catch (const c10::Error &e) {
    return line(e.what_without_backtrace());
  } catch (const std::exception &e) {
    return line(e.what());
  } catch (...) {
    return line("unknown C++ exception");
  }
}

// sum_type is the type that sums over x's elements have.
inline at::ScalarType sum_type(const at::Tensor &x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }

inline std::vector<at::Tensor> list(void **p, int n) {
  std::vector<at::Tensor> v;
  v.reserve(n);
  for (int i = 0; i < n; i++) v.push_back(p && p[i] ? T(p[i]) : at::Tensor());
  return v;
}

} // namespace revela
