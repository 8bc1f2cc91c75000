#include "shim_dropout.hpp"
#include "shim_chains_device.hpp"
#include "shim_simd.hpp"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <mutex>

using at::Tensor;

namespace revela {

namespace {

using Mask = DropoutMask;

// mask_of is d's mask for rows of so many elements.
Mask mask_of(const Dropout &d, int64_t width) {
  double least = std::min(d.p * 4294967296.0, 4294967295.0);
  return {(uint32_t)(d.first * width), (uint32_t)d.seed, (uint32_t)((uint64_t)d.seed >> 32) | 1, (uint32_t)least, 1 / (1 - d.p)};
}

// mix is MurmurHash3's 32-bit finaliser, the seed at both ends.
REVELA_INLINE uint32_t mix(uint32_t x, uint32_t low, uint32_t high) {
  x = (x ^ low) * high;
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

template <class S, class C> REVELA_INLINE void drop_body(const S *x, uint32_t at, int64_t n, Mask m, bool add, S *y) {
  C scale = (C)m.scale;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) {
    C v = mix(at + (uint32_t)i, m.low, m.high) >= m.least ? load(x + i) * scale : C(0);
    store(y + i, add ? load(y + i) + v : v);
  }
}
REVELA_CLONES static void drop(const float *x, uint32_t at, int64_t n, Mask m, bool add, float *y) {
  drop_body<float, float>(x, at, n, m, add, y);
}
REVELA_CLONES static void drop(const bf16 *x, uint32_t at, int64_t n, Mask m, bool add, bf16 *y) {
  drop_body<bf16, float>(x, at, n, m, add, y);
}
static void drop(const double *x, uint32_t at, int64_t n, Mask m, bool add, double *y) { drop_body<double, double>(x, at, n, m, add, y); }

template <class S> void drop_all(const Mask &m, const Tensor &x, bool add, Tensor &y) {
  const S *from = x.const_data_ptr<S>();
  S *to = y.mutable_data_ptr<S>();
  at::parallel_for(0, x.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
    drop(from + begin, m.start + (uint32_t)begin, end - begin, m, add, to + begin);
  });
}

void drop_any(const Dropout &d, const Tensor &x, bool add, Tensor &y) {
  TORCH_CHECK(x.dim() == 2 && x.is_contiguous() && y.is_contiguous() && x.sizes() == y.sizes() && x.scalar_type() == y.scalar_type(),
              "dropout: x ", x.scalar_type(), " ", x.sizes(), " and y ", y.scalar_type(), " ", y.sizes());
  Mask m = mask_of(d, x.size(1));
  x.is_cpu() ? drop_on_cpu(m, x, add, y) : on_device::drop(m, x, add, y);
}

} // namespace

void drop_on_cpu(const DropoutMask &m, const Tensor &x, bool add, Tensor &y) {
  switch (x.scalar_type()) {
  case at::kFloat: return drop_all<float>(m, x, add, y);
  case at::kBFloat16: return drop_all<bf16>(m, x, add, y);
  case at::kDouble: return drop_all<double>(m, x, add, y);
  default: TORCH_CHECK(false, "dropout: dtype ", x.scalar_type(), " found, float, double or bfloat16 expected");
  }
}

Tensor Dropout::of(const Tensor &x) const {
  Tensor y = at::empty_like(x);
  drop_any(*this, x, false, y);
  return y;
}

void Dropout::add_to(Tensor &sum, const Tensor &x) const { drop_any(*this, x, true, sum); }

int64_t draw_seed() {
  auto generator = at::detail::getDefaultCPUGenerator();
  std::lock_guard<std::mutex> lock(generator.mutex());
  return (int64_t)at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

} // namespace revela
