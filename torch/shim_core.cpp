// Autograd, tensors over foreign memory, devices, randomness and the optimiser's list operations.
#include "shim.h"
#include "shim.hpp"
#include "shim_device.hpp"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

using at::Tensor;
using namespace revela;

void revela_enter(int threads) {
  thread_local int current = 0;
  if (threads > 0 && current != threads) {
    at::internal::lazy_init_num_threads(); // now: at a thread's first parallel loop it takes the number that any thread set last
    (void)at::get_num_threads();           // the same of the library's own copy
    at::set_num_threads(threads);
    current = threads;
  }
  enter_device();
}

char *revela_grad(void **outs, void **gouts, int n, void **ins, void **res, int nin, int keep) {
  return guard([&] {
    auto grads = torch::autograd::grad(list(outs, n), list(ins, nin), gouts ? list(gouts, n) : std::vector<Tensor>{},
                                       (bool)keep, /*create_graph=*/false, /*allow_unused=*/true);
    for (int i = 0; i < nin; i++) res[i] = grads[i].defined() ? release(grads[i]) : nullptr;
  });
}

char *revela_from_blob(void *data, const int64_t *sizes, int nd, int dtype, int copy, void **out) {
  return guard([&] {
    Tensor t = at::from_blob(data, at::IntArrayRef(sizes, nd), at::ScalarType(dtype));
    *out = release(copy ? t.clone() : t);
  });
}

char *revela_sizes(void *t, int64_t *sizes, int capacity, int *nd, int *dtype) {
  return guard([&] {
    auto s = T(t).sizes();
    TORCH_CHECK((int)s.size() <= capacity, "tensor has ", s.size(), " dimensions, at most ", capacity, " are supported");
    std::copy(s.begin(), s.end(), sizes);
    *nd = (int)s.size();
    *dtype = (int)T(t).scalar_type();
  });
}

char *revela_set_requires_grad(void *t, int on) {
  return guard([&] { T(t).set_requires_grad((bool)on); });
}

char *revela_unshared(void *t, void **out) {
  return guard([&] {
    Tensor &x = T(t);
    bool own = x.use_count() == 1 && x.storage().use_count() == 1 && x.is_contiguous() && (size_t)x.nbytes() == x.storage().nbytes();
    *out = release(own ? x : x.clone(at::MemoryFormat::Contiguous));
  });
}

char *revela_copy_out(void *t, void *data, size_t bytes) {
  return guard([&] {
    at::NoGradGuard no_grad;
    Tensor c = T(t).detach().to(at::kCPU).contiguous();
    TORCH_CHECK(c.nbytes() == bytes, "tensor has ", c.nbytes(), " bytes, the destination ", bytes);
    if (bytes) std::memcpy(data, c.const_data_ptr(), bytes);
  });
}

int revela_set_grad_enabled(int on) {
  int before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled((bool)on);
  return before;
}

int revela_cpu_capability(char *name, int capacity) {
  std::string s = at::get_cpu_capability();
  std::strncpy(name, s.c_str(), capacity - 1);
  name[capacity - 1] = 0;
  return (int)s.size();
}

char *revela_manual_seed(uint64_t seed) {
  return guard([&] { at::manual_seed(seed); });
}

char *revela_rng_state(void **out) {
  return guard([&] {
    auto g = at::globalContext().defaultGenerator(at::kCPU);
    std::lock_guard<std::mutex> lock(g.mutex());
    *out = release(g.get_state());
  });
}

char *revela_set_rng_state(void *t) {
  return guard([&] {
    auto g = at::globalContext().defaultGenerator(at::kCPU);
    std::lock_guard<std::mutex> lock(g.mutex());
    g.set_state(T(t));
  });
}

char *revela_fused_adamw(void **p, void **g, void **m, void **v, void **step, int n, double lr, double b1, double b2,
                         double wd, double eps) {
  return guard([&] {
    at::NoGradGuard no_grad;
    auto steps = list(step, n);
    at::_foreach_add_(steps, 1); // the fused kernel reads the number of this step, it does not count
    at::_fused_adamw_(list(p, n), list(g, n), list(m, n), list(v, n), {}, steps, lr, b1, b2, wd, eps,
                      /*amsgrad=*/false, /*maximize=*/false);
  });
}

char *revela_grad_norm(void **g, int n, double *norm) {
  return guard([&] {
    at::NoGradGuard no_grad;
    *norm = n ? at::stack(at::_foreach_norm(list(g, n), 2)).to(at::kDouble).norm().item<double>() : 0.0;
  });
}

char *revela_foreach_mul(void **t, int n, double factor) {
  return guard([&] {
    at::NoGradGuard no_grad;
    if (n) at::_foreach_mul_(list(t, n), factor);
  });
}

char *revela_foreach_copy(void **to, void **from, int n) {
  return guard([&] {
    at::NoGradGuard no_grad;
    if (n) at::_foreach_copy_(list(to, n), list(from, n));
  });
}

int64_t revela_version(void *t) { return (int64_t)T(t)._version(); }

char *revela_foreach_add(void **t, void **other, int n, double alpha) {
  return guard([&] {
    at::NoGradGuard no_grad;
    if (n) at::_foreach_add_(list(t, n), list(other, n), alpha);
  });
}
