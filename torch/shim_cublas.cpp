#include "shim_cublas.hpp"
#include "shim_driver.hpp"
#include <ATen/Functions.h>
#include <array>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>
#include <map>

using at::Tensor;

namespace revela::cublas {

namespace {

// Found is how a product is best computed, as cuBLAS says (cublasLtMatmulHeuristicResult_t).
struct Found {
  uint64_t algorithm[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

// Library is cuBLASLt's C interface; handles, descriptions, layouts and preferences are pointers.
struct Library {
  int (*create)(void **handle);
  int (*describe)(void **product, int compute, int scale), (*set)(void *product, int attribute, const void *value, size_t bytes);
  int (*lay)(void **layout, int type, uint64_t rows, uint64_t columns, int64_t stride), (*relay)(void *layout, int attribute, const void *value, size_t bytes);
  int (*prefer)(void **preference), (*set_preference)(void *preference, int attribute, const void *value, size_t bytes);
  int (*search)(void *handle, void *product, void *a, void *b, void *c, void *d, void *preference, int most, Found *results, int *count);
  int (*multiply)(void *handle, void *product, const void *alpha, const void *a, void *layout_a, const void *b, void *layout_b,
                  const void *beta, const void *c, void *layout_c, void *d, void *layout_d, const void *algorithm, void *workspace,
                  size_t bytes, void *stream);
  bool complete = true;

  Library() {
    auto seek = [&](const char *symbol, auto &function) {
      *(void **)&function = dlsym(RTLD_DEFAULT, symbol);
      complete = complete && function;
    };
    seek("cublasLtCreate", create), seek("cublasLtMatmulDescCreate", describe), seek("cublasLtMatmulDescSetAttribute", set);
    seek("cublasLtMatrixLayoutCreate", lay), seek("cublasLtMatrixLayoutSetAttribute", relay);
    seek("cublasLtMatmulPreferenceCreate", prefer), seek("cublasLtMatmulPreferenceSetAttribute", set_preference);
    seek("cublasLtMatmulAlgoGetHeuristic", search), seek("cublasLtMatmul", multiply);
  }
  static const Library &get() {
    static Library library;
    return library;
  }
};

constexpr size_t kWorkspace = 32 << 20; // bytes, as NVIDIA advises for GPUs from compute capability 9.0 on

bool is_wide(const Matrix &d) { return d.type == 1; } // fp64

// Layout is how a matrix lies; the description that cuBLAS keeps is changed from product to product.
struct Layout {
  void *made = nullptr;
  std::array<int64_t, 3> now{};

  void be(const Matrix &m, int64_t rows, int64_t columns) {
    const Library &l = Library::get();
    std::array<int64_t, 3> want{rows, columns, m.stride};
    if (!made) Driver::check(l.lay(&made, m.type, (uint64_t)rows, (uint64_t)columns, m.stride), "cublasLtMatrixLayoutCreate");
    else
      for (int i = 0; i < 3; i++)
        if (want[i] != now[i]) Driver::check(l.relay(made, 2 + i, &want[i], sizeof want[i]), "cublasLtMatrixLayoutSetAttribute"); // rows, columns, stride
    now = want;
  }
};

// Kind is what products that share their descriptions have in common.
struct Kind {
  void *product = nullptr;
  Layout a, b, c, d;

  Kind(const Matrix &x, const Matrix &y, const Matrix &z) {
    constexpr int fp32 = 68, fp64 = 70, turn_a = 3, turn_b = 4; // cublasComputeType_t, cublasLtMatmulDescAttributes_t
    const Library &l = Library::get();
    Driver::check(l.describe(&product, is_wide(z) ? fp64 : fp32, is_wide(z) ? 1 : 0), "cublasLtMatmulDescCreate");
    int turned_a = x.turned, turned_b = y.turned; // cublasOperation_t
    Driver::check(l.set(product, turn_a, &turned_a, sizeof turned_a), "cublasLtMatmulDescSetAttribute");
    Driver::check(l.set(product, turn_b, &turned_b, sizeof turned_b), "cublasLtMatmulDescSetAttribute");
  }

  // be sets the layouts for a product of these sizes; operands may be meant as their transposes.
  void be(const Matrix &x, const Matrix &y, const Matrix &w, const Matrix &z, int64_t m, int64_t n, int64_t k) {
    x.turned ? a.be(x, k, m) : a.be(x, m, k);
    y.turned ? b.be(y, n, k) : b.be(y, k, n);
    c.be(w, m, n), d.be(z, m, n);
  }
};

// rounded is a number of rows that stands for those a little smaller, as batches differ: the best kernel for one is good for another.
int64_t rounded(int64_t n) {
  int64_t step = 64;
  while (step * 16 < n) step *= 2;
  return n <= 256 ? n : (n + step - 1) / step * step;
}

using Key = std::array<int64_t, 9>;

// Multiplier is an OS thread's.
struct Multiplier {
  void *handle = nullptr, *preference = nullptr;
  Tensor *workspace = nullptr; // never freed: at a thread's end the device's allocator may be gone
  std::map<std::array<int, 4>, Kind> kinds;
  std::map<Key, Found> found;

  void open(c10::Device device) {
    if (handle) return;
    const Library &l = Library::get();
    Driver::check(l.create(&handle), "cublasLtCreate");
    Driver::check(l.prefer(&preference), "cublasLtMatmulPreferenceCreate");
    size_t bytes = kWorkspace;
    Driver::check(l.set_preference(preference, 1, &bytes, sizeof bytes), "cublasLtMatmulPreferenceSetAttribute"); // most workspace
    workspace = new Tensor(at::empty({(int64_t)kWorkspace}, at::TensorOptions(at::kByte).device(device)));
  }

  Kind &kind_of(const Matrix &a, const Matrix &b, const Matrix &d) {
    return kinds.try_emplace({a.type, d.type, a.turned, b.turned}, a, b, d).first->second;
  }

  // search asks cuBLAS for the best kernel for the sizes that the kind is set to, and addresses that are multiples of so many bytes.
  const Found &search(Kind &kind, const Key &key, uint32_t aligned) {
    Found best{};
    int count = 0;
    for (int attribute = 5; attribute <= 8; attribute++) // least alignment of a, b, c and d
      Driver::check(Library::get().set_preference(preference, attribute, &aligned, sizeof aligned), "cublasLtMatmulPreferenceSetAttribute");
    Driver::check(Library::get().search(handle, kind.product, kind.a.made, kind.b.made, kind.c.made, kind.d.made, preference, 1, &best, &count),
                  "cublasLtMatmulAlgoGetHeuristic");
    if (count < 1) throw std::runtime_error("cuBLAS has no kernel for a product");
    return found[key] = best;
  }
};

thread_local Multiplier mine;

} // namespace

bool found() { return Library::get().complete; }

void multiply(c10::Device device, const Matrix &a, const Matrix &b, int64_t k, const Matrix &c, const Matrix &d, void *to, double alpha,
              double beta) {
  Multiplier &here = mine;
  here.open(device);
  Kind &kind = here.kind_of(a, b, d);
  int64_t m = d.rows, n = d.columns;
  uint32_t aligned = 16;
  for (const void *p : {a.data, b.data, c.data, (const void *)to})
    if ((uintptr_t)p % aligned) aligned = d.type == 1 ? 8 : 2;
  // Sizes that only say how many columns there are in memory can be rounded: no stride depends on them.
  int64_t about_n = b.turned ? n : rounded(n), about_k = !a.turned && b.turned ? rounded(k) : k;
  int64_t flags = a.type | d.type << 8 | a.turned << 16 | b.turned << 17 | (c.data == to) << 18;
  Key key{flags, m, about_n, about_k, a.stride, b.stride, c.stride, d.stride, aligned};
  auto known = here.found.find(key);
  if (known == here.found.end()) {
    kind.be(a, b, c, d, m, about_n, about_k);
    here.search(kind, key, aligned);
    known = here.found.find(key);
  }
  kind.be(a, b, c, d, m, n, k);
  float alpha_f = (float)alpha, beta_f = (float)beta;
  const void *scale_a = is_wide(d) ? (const void *)&alpha : &alpha_f, *scale_b = is_wide(d) ? (const void *)&beta : &beta_f;
  auto *of = c10::impl::getDeviceGuardImpl(device.type());
  void *stream = of->getStreamNativeHandle(of->getStream(device));
  auto run = [&](const Found &f) {
    return Library::get().multiply(here.handle, kind.product, scale_a, a.data, kind.a.made, b.data, kind.b.made, scale_b, c.data,
                                   kind.c.made, to, kind.d.made, f.algorithm, here.workspace->mutable_data_ptr(), kWorkspace, stream);
  };
  if (run(known->second) == 0) return;
  Driver::check(run(here.search(kind, key, aligned)), "cublasLtMatmul"); // what serves the rounded sizes does not serve these: this serves both
}

} // namespace revela::cublas
