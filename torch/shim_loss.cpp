// Linear layer and mean cross entropy in one operation: logits live a chunk of rows at a time, forward computes
// the gradients as well, so there is never a [tokens, vocabulary] tensor.
#include "shim.h"
#include "shim_chains_device.hpp"
#include "shim_gemm.hpp"
#include "shim_simd.hpp"
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using namespace revela;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// entropy_row returns −log softmax(x)[label] and, with scale > 0, replaces x by scale·(softmax(x) − onehot).
// The terms are summed by pieces: one long sum in fp32 would lose most of a large vocabulary's small ones.
template <class S, class C> REVELA_INLINE C entropy_row_body(S *x, int64_t label, int64_t n, C scale) {
  constexpr int64_t piece = 512;
  C top = load(x), sum = 0;
#pragma omp simd reduction(max : top)
  for (int64_t c = 0; c < n; c++) top = load(x + c) > top ? load(x + c) : top;
  for (int64_t from = 0; from < n; from += piece) {
    int64_t to = std::min(n, from + piece);
    C part = 0;
#pragma omp simd reduction(+ : part)
    for (int64_t c = from; c < to; c++) part += exp_inline(load(x + c) - top);
    sum += part;
  }
  C lse = top + std::log(sum), at_label = load(x + label);
  if (scale > 0) {
    C factor = scale / sum;
#pragma omp simd
    for (int64_t c = 0; c < n; c++) store(x + c, factor * exp_inline(load(x + c) - top));
    store(x + label, scale * (std::exp(at_label - lse) - 1));
  }
  return lse - at_label;
}
REVELA_CLONES float entropy_row(float *x, int64_t label, int64_t n, float scale) {
  return entropy_row_body(x, label, n, scale);
}
REVELA_CLONES float entropy_row(bf16 *x, int64_t label, int64_t n, float scale) {
  return entropy_row_body(x, label, n, scale);
}
double entropy_row(double *x, int64_t label, int64_t n, double scale) { return entropy_row_body(x, label, n, scale); }

template <class S> void entropy_rows(Tensor &logits, const Tensor &labels, double scale, Tensor &losses, int64_t at) {
  using C = typename compute<S>::type;
  int64_t n = logits.size(1);
  S *x = logits.mutable_data_ptr<S>();
  const int64_t *label = labels.const_data_ptr<int64_t>();
  double *loss = losses.mutable_data_ptr<double>() + at;
  at::parallel_for(0, logits.size(0), 1, [&](int64_t a, int64_t b) {
    for (int64_t r = a; r < b; r++) loss[r] = entropy_row(x + r * n, label[r], n, (C)scale);
  });
}

// entropy fills losses [at, at+rows) and, with scale > 0, turns logits into their gradient.
void entropy(Tensor &logits, const Tensor &labels, double scale, Tensor &losses, int64_t at) {
  if (logits.is_cpu() && logits.scalar_type() == at::kFloat) return entropy_rows<float>(logits, labels, scale, losses, at);
  if (logits.is_cpu() && logits.scalar_type() == at::kDouble)
    return entropy_rows<double>(logits, labels, scale, losses, at);
  if (logits.is_cpu() && logits.scalar_type() == at::kBFloat16)
    return entropy_rows<bf16>(logits, labels, scale, losses, at);
  on_device::entropy(logits, labels, scale, losses.narrow(0, at, labels.size(0)));
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static Tensor forward(AutogradContext *ctx, Tensor hidden, Tensor weight, Tensor labels, int64_t chunk, bool want_h,
                        bool want_w) {
    RECORD_FUNCTION("revela::linear_cross_entropy", std::vector<c10::IValue>());
    hidden = hidden.contiguous();
    int64_t n = hidden.size(0);
    auto c_type = sum_type(hidden);
    Tensor losses = at::empty({n}, hidden.options().dtype(at::kDouble));
    Tensor dh = want_h ? at::empty_like(hidden) : Tensor();
    Tensor dw = want_w ? at::zeros(weight.sizes(), weight.options().dtype(c_type)) : Tensor();
    for (int64_t at = 0; at < n; at += chunk) {
      int64_t rows = std::min(chunk, n - at);
      Tensor h = hidden.narrow(0, at, rows), logits = multiplied({h}, {weight, true});
      entropy(logits, labels.narrow(0, at, rows), want_h || want_w ? 1.0 / n : 0.0, losses, at);
      if (want_h) {
        Tensor to = dh.narrow(0, at, rows);
        gemm(to, {logits}, {weight});
      }
      if (want_w) gemm(dw, {logits, true}, {h}, 1, 1);
    }
    ctx->save_for_backward({dh, want_w ? dw.to(weight.scalar_type()) : dw});
    return losses.mean().to(c_type);
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto scaled = [&](const Tensor &x) { return x.defined() ? x * grads[0].to(x.scalar_type()) : x; };
    return {scaled(saved[0]), scaled(saved[1]), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

} // namespace

char *revela_linear_cross_entropy(void *hidden, void *weight, void *labels, int64_t chunk, void **out) {
  return guard([&] {
    Tensor &H = T(hidden), &W = T(weight), &L = T(labels);
    TORCH_CHECK(H.dim() == 2 && W.dim() == 2 && L.dim() == 1 && H.size(1) == W.size(1) && H.size(0) == L.size(0) &&
                    H.size(0) > 0 && L.scalar_type() == at::kLong && chunk > 0,
                "linear_cross_entropy: hidden ", H.sizes(), ", weight ", W.sizes(), ", labels ", L.sizes(), " ",
                L.scalar_type(), " found, [T, D], [V, D], int64 [T] with T > 0 expected");
    if (L.is_cpu()) { // on a device, to look would be to wait
      auto [least, most] = at::aminmax(L);
      TORCH_CHECK(least.item<int64_t>() >= 0 && most.item<int64_t>() < W.size(0), "linear_cross_entropy: labels from ",
                  least.item<int64_t>(), " to ", most.item<int64_t>(), " found, 0 to ", W.size(0) - 1, " expected");
    }
    bool grad = c10::GradMode::is_enabled();
    *out = release(LinearCrossEntropy::apply(H, W, L, chunk, grad && H.requires_grad(), grad && W.requires_grad()));
  });
}
