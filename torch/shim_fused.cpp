// Chains of small operations of a decoder layer as one operation each, with its own backward: RMSNorm, rotary
// position embedding, SwiGLU. Sums are fp32 (fp64 for fp64); in bf16, results are rounded where transformers rounds.
#include "shim.h"
#include "shim_chains_device.hpp"
#include "shim_fused.hpp"
#include "shim_simd.hpp"
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using namespace revela;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// dispatch calls f with a null pointer of the storage type.
template <class F> void dispatch(const char *name, const Tensor &x, F f) {
  switch (x.scalar_type()) {
  case at::kFloat: return f((float *)nullptr);
  case at::kDouble: return f((double *)nullptr);
  case at::kBFloat16: return f((bf16 *)nullptr);
  default: TORCH_CHECK(false, name, ": dtype ", x.scalar_type(), " found, float, double or bfloat16 expected");
  }
}

// --- RMSNorm: y = w · round(x / rms(x)), as transformers' LlamaRMSNorm ---

template <class S, class C> REVELA_INLINE C rms_row_body(const S *x, const S *w, C eps, int64_t n, S *y) {
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < n; c++) {
    C v = load(x + c);
    sum += v * v;
  }
  C r = 1 / std::sqrt(sum / n + eps);
#pragma omp simd
  for (int64_t c = 0; c < n; c++) {
    store(y + c, rounded<S>(load(x + c) * r) * load(w + c));
  }
  return r;
}
REVELA_CLONES float rms_row(const float *x, const float *w, float eps, int64_t n, float *y) {
  return rms_row_body(x, w, eps, n, y);
}
REVELA_CLONES float rms_row(const bf16 *x, const bf16 *w, float eps, int64_t n, bf16 *y) {
  return rms_row_body(x, w, eps, n, y);
}
double rms_row(const double *x, const double *w, double eps, int64_t n, double *y) {
  return rms_row_body(x, w, eps, n, y);
}

// dx = r·(g·w − x̂·mean(g·w·x̂)); dw += g·x̂.
template <class S, class C>
REVELA_INLINE void rms_back_row_body(const S *g, const S *x, const S *w, C r, int64_t n, S *dx, C *dw) {
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < n; c++) sum += load(g + c) * load(w + c) * load(x + c);
  C k = sum * r * r / n;
#pragma omp simd
  for (int64_t c = 0; c < n; c++) store(dx + c, r * (load(g + c) * load(w + c) - load(x + c) * k));
  if (!dw) return;
#pragma omp simd
  for (int64_t c = 0; c < n; c++) dw[c] += load(g + c) * load(x + c) * r;
}
REVELA_CLONES void rms_back_row(const float *g, const float *x, const float *w, float r, int64_t n, float *dx, float *dw) {
  rms_back_row_body(g, x, w, r, n, dx, dw);
}
REVELA_CLONES void rms_back_row(const bf16 *g, const bf16 *x, const bf16 *w, float r, int64_t n, bf16 *dx, float *dw) {
  rms_back_row_body(g, x, w, r, n, dx, dw);
}
void rms_back_row(const double *g, const double *x, const double *w, double r, int64_t n, double *dx, double *dw) {
  rms_back_row_body(g, x, w, r, n, dx, dw);
}

} // namespace

Normed revela::rms_forward(const Tensor &x, const Tensor &w, double eps) {
  if (!x.is_cpu()) return on_device::rms_forward(x, w, eps);
  int64_t n = x.size(-1), rows = n ? x.numel() / n : 0;
  Normed out{at::empty_like(x), at::empty({rows}, x.options().dtype(sum_type(x)))};
  dispatch("rms_norm", x, [&](auto *type) {
    using S = std::remove_pointer_t<decltype(type)>;
    using C = typename compute<S>::type;
    auto *from = x.const_data_ptr<S>(), *weight = w.const_data_ptr<S>();
    auto *to = out.y.mutable_data_ptr<S>();
    auto *inverse = out.inverse.mutable_data_ptr<C>();
    at::parallel_for(0, rows, 16, [&](int64_t a, int64_t b) {
      for (int64_t i = a; i < b; i++) inverse[i] = rms_row(from + i * n, weight, (C)eps, n, to + i * n);
    });
  });
  return out;
}

NormGradients revela::rms_backward(const Tensor &g, const Tensor &x, const Tensor &w, const Tensor &inverse, bool want_w,
                                   const Tensor &onto) {
  if (!x.is_cpu()) return on_device::rms_backward(g, x, w, inverse, want_w, onto);
  int64_t n = x.size(-1), rows = inverse.numel();
  Tensor dx = at::empty_like(x), dw = want_w ? at::zeros({at::get_num_threads(), n}, inverse.options()) : Tensor();
  dispatch("rms_norm", x, [&](auto *type) {
    using S = std::remove_pointer_t<decltype(type)>;
    using C = typename compute<S>::type;
    auto *from = x.const_data_ptr<S>(), *weight = w.const_data_ptr<S>(), *grad = g.const_data_ptr<S>();
    auto *to = dx.mutable_data_ptr<S>();
    auto *r = inverse.const_data_ptr<C>();
    auto *sums = want_w ? dw.mutable_data_ptr<C>() : nullptr;
    at::parallel_for(0, rows, 16, [&](int64_t a, int64_t b) {
      C *sum = want_w ? sums + at::get_thread_num() * n : nullptr;
      for (int64_t i = a; i < b; i++) rms_back_row(grad + i * n, from + i * n, weight, r[i], n, to + i * n, sum);
    });
  });
  return {onto.defined() ? dx.add_(onto) : dx, want_w ? dw.sum(0).to(w.scalar_type()) : Tensor()};
}

namespace {

struct RMSNorm : torch::autograd::Function<RMSNorm> {
  static Tensor forward(AutogradContext *ctx, Tensor x, Tensor w, double eps) {
    x = x.contiguous(), w = w.contiguous();
    Normed out = rms_forward(x, w, eps);
    ctx->save_for_backward({x, w, out.inverse});
    return out.y;
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto g = rms_backward(grads[0].contiguous(), saved[0], saved[1], saved[2], ctx->needs_input_grad(1));
    return {g.x, g.w, Tensor()};
  }
};

// --- Rotary position embedding, half-split as transformers' apply_rotary_pos_emb ---

template <class S, class C>
REVELA_INLINE void rope_row_body(const S *x, const C *cos, const C *sin, C sign, int64_t half, S *y) {
#pragma omp simd
  for (int64_t c = 0; c < half; c++) {
    C a = load(x + c), b = load(x + half + c), s = sign * sin[c];
    store(y + c, rounded<S>(a * cos[c]) - rounded<S>(b * s));
    store(y + half + c, rounded<S>(b * cos[c]) + rounded<S>(a * s));
  }
}
REVELA_CLONES void rope_row(const float *x, const float *c, const float *s, float sign, int64_t half, float *y) {
  rope_row_body(x, c, s, sign, half, y);
}
REVELA_CLONES void rope_row(const bf16 *x, const float *c, const float *s, float sign, int64_t half, bf16 *y) {
  rope_row_body(x, c, s, sign, half, y);
}
void rope_row(const double *x, const double *c, const double *s, double sign, int64_t half, double *y) {
  rope_row_body(x, c, s, sign, half, y);
}

// rotate turns x [T, H, D] by the angles whose cosines and sines are [T, D/2]; sign −1 turns back.
Tensor rotate(const Tensor &x, const Tensor &cos, const Tensor &sin, int sign) {
  if (!x.is_cpu()) return on_device::rotate(x, cos, sin, sign);
  int64_t heads = x.size(1), dim = x.size(2);
  Tensor y = at::empty_like(x);
  dispatch("rope", x, [&](auto *type) {
    using S = std::remove_pointer_t<decltype(type)>;
    using C = typename compute<S>::type;
    auto *from = x.const_data_ptr<S>();
    auto *to = y.mutable_data_ptr<S>();
    auto *c = cos.const_data_ptr<C>(), *s = sin.const_data_ptr<C>();
    at::parallel_for(0, x.size(0), 16, [&](int64_t a, int64_t b) {
      for (int64_t t = a; t < b; t++)
        for (int64_t h = 0; h < heads; h++)
          rope_row(from + (t * heads + h) * dim, c + t * (dim / 2), s + t * (dim / 2), (C)sign, dim / 2,
                   to + (t * heads + h) * dim);
    });
  });
  return y;
}

struct Rope : torch::autograd::Function<Rope> {
  static Tensor forward(AutogradContext *ctx, Tensor x, Tensor cos, Tensor sin) {
    auto as_stored = [&](const Tensor &t) { return t.to(x.scalar_type()).to(sum_type(x)).contiguous(); }; // as transformers
    if (x.is_cpu()) cos = as_stored(cos), sin = as_stored(sin); // a device's kernel rounds them itself
    ctx->save_for_backward({cos, sin});
    return rotate(x.contiguous(), cos, sin, 1);
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    return {rotate(grads[0].contiguous(), saved[0], saved[1], -1), Tensor(), Tensor()};
  }
};

// --- SwiGLU: silu(gate) · up ---

template <class S> REVELA_INLINE void swiglu_body(const S *g, const S *u, int64_t n, S *y) {
#pragma omp simd
  for (int64_t c = 0; c < n; c++) {
    auto a = load(g + c);
    store(y + c, rounded<S>(a / (1 + exp_inline(-a))) * load(u + c));
  }
}
REVELA_CLONES void swiglu(const float *g, const float *u, int64_t n, float *y) { swiglu_body(g, u, n, y); }
REVELA_CLONES void swiglu(const bf16 *g, const bf16 *u, int64_t n, bf16 *y) { swiglu_body(g, u, n, y); }
void swiglu(const double *g, const double *u, int64_t n, double *y) { swiglu_body(g, u, n, y); }

template <class S> REVELA_INLINE void swiglu_back_body(const S *d, const S *g, const S *u, int64_t n, S *dg, S *du) {
#pragma omp simd
  for (int64_t c = 0; c < n; c++) {
    auto a = load(g + c), up = load(u + c), grad = load(d + c);
    auto sigmoid = 1 / (1 + exp_inline(-a));
    store(dg + c, grad * up * sigmoid * (1 + a * (1 - sigmoid)));
    store(du + c, grad * a * sigmoid);
  }
}
REVELA_CLONES void swiglu_back(const float *d, const float *g, const float *u, int64_t n, float *dg, float *du) {
  swiglu_back_body(d, g, u, n, dg, du);
}
REVELA_CLONES void swiglu_back(const bf16 *d, const bf16 *g, const bf16 *u, int64_t n, bf16 *dg, bf16 *du) {
  swiglu_back_body(d, g, u, n, dg, du);
}
void swiglu_back(const double *d, const double *g, const double *u, int64_t n, double *dg, double *du) {
  swiglu_back_body(d, g, u, n, dg, du);
}

} // namespace

Tensor revela::swiglu_forward(const Tensor &gate, const Tensor &up) {
  if (!gate.is_cpu()) return on_device::swiglu_forward(gate, up);
  Tensor y = at::empty_like(gate);
  dispatch("swiglu", gate, [&](auto *type) {
    using S = std::remove_pointer_t<decltype(type)>;
    auto *g = gate.const_data_ptr<S>(), *u = up.const_data_ptr<S>();
    auto *to = y.mutable_data_ptr<S>();
    at::parallel_for(0, gate.numel(), 4096, [&](int64_t a, int64_t b) { swiglu(g + a, u + a, b - a, to + a); });
  });
  return y;
}

GateGradients revela::swiglu_backward(const Tensor &d, const Tensor &gate, const Tensor &up) {
  if (!gate.is_cpu()) return on_device::swiglu_backward(d, gate, up);
  GateGradients out{at::empty_like(gate), at::empty_like(up)};
  dispatch("swiglu", gate, [&](auto *type) {
    using S = std::remove_pointer_t<decltype(type)>;
    auto *g = gate.const_data_ptr<S>(), *u = up.const_data_ptr<S>(), *grad = d.const_data_ptr<S>();
    auto *to_g = out.gate.mutable_data_ptr<S>(), *to_u = out.up.mutable_data_ptr<S>();
    at::parallel_for(0, gate.numel(), 4096, [&](int64_t a, int64_t b) {
      swiglu_back(grad + a, g + a, u + a, b - a, to_g + a, to_u + a);
    });
  });
  return out;
}

char *revela_rms_norm(void *x, void *weight, double eps, void **out) {
  return guard([&] {
    Tensor &X = T(x), &W = T(weight);
    TORCH_CHECK(X.dim() > 0 && W.dim() == 1 && X.size(-1) == W.size(0) && X.scalar_type() == W.scalar_type(),
                "rms_norm: x ", X.sizes(), " ", X.scalar_type(), ", weight ", W.sizes(), " ", W.scalar_type(),
                " found, the same width and dtype expected");
    *out = release(RMSNorm::apply(X, W, eps));
  });
}

char *revela_rope(void *x, void *cos, void *sin, void **out) {
  return guard([&] {
    Tensor &X = T(x), &C = T(cos), &S = T(sin);
    TORCH_CHECK(X.dim() == 3 && X.size(2) % 2 == 0 && C.dim() == 2 && C.sizes() == S.sizes() && C.size(0) == X.size(0) &&
                    2 * C.size(1) == X.size(2),
                "rope: x ", X.sizes(), ", cos ", C.sizes(), ", sin ", S.sizes(),
                " found, [T, H, D], [T, D/2], [T, D/2] expected");
    *out = release(Rope::apply(X, C, S));
  });
}
