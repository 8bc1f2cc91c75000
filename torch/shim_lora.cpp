// A linear layer with a low-rank update beside its frozen weight: y = x Wᵀ + b + scale · (x Aᵀ) Bᵀ. The update is added
// in place, forward and backward, so that it costs its own small products and no pass over y or dx.
#include "shim.h"
#include "shim.hpp"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using namespace revela;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

struct LoRALinear : torch::autograd::Function<LoRALinear> {
  static Tensor forward(AutogradContext *ctx, Tensor x, Tensor w, Tensor a, Tensor b, double scale) {
    Tensor low = at::mm(x, a.t()).mul_(scale); // [T, rank]
    Tensor y = at::mm(x, w.t());
    y.addmm_(low, b.t());
    ctx->save_for_backward({x, w, a, b, low});
    ctx->saved_data["scale"] = scale;
    return y;
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    Tensor x = saved[0], w = saved[1], a = saved[2], b = saved[3], low = saved[4], dy = grads[0].contiguous(), dx, da, db;
    Tensor dlow = at::mm(dy, b).mul_(ctx->saved_data["scale"].toDouble()); // [T, rank]
    if (ctx->needs_input_grad(0)) dx = at::mm(dy, w).addmm_(dlow, a);
    if (ctx->needs_input_grad(2)) da = at::mm(dlow.t(), x);
    if (ctx->needs_input_grad(3)) db = at::mm(dy.t(), low);
    return {dx, Tensor(), da, db, Tensor()};
  }
};

} // namespace

char *revela_lora_linear(void *x, void *weight, void *a, void *b, double scale, void **out) {
  return guard([&] {
    Tensor &X = T(x), &W = T(weight), &A = T(a), &B = T(b);
    TORCH_CHECK(X.dim() == 2 && W.dim() == 2 && A.dim() == 2 && B.dim() == 2 && X.size(1) == W.size(1) &&
                    A.size(1) == W.size(1) && B.size(0) == W.size(0) && A.size(0) == B.size(1),
                "lora_linear: x ", X.sizes(), ", weight ", W.sizes(), ", A ", A.sizes(), ", B ", B.sizes(),
                " found, [T, in], [out, in], [rank, in], [out, rank] expected");
    TORCH_CHECK(!W.requires_grad(), "lora_linear: the weight learns; a frozen one expected");
    *out = release(LoRALinear::apply(X, W, A, B, scale));
  });
}
