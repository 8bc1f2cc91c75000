// RMSNorm, rotary position embedding and SwiGLU from libtorch's own operations, for devices that shim_fused.cpp has no
// loops for. What they keep for backward is what the fused ones keep: their inputs.
#include "shim.hpp"
#include "shim_device.hpp"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using revela::sum_type;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// rotate turns x [T, H, D] by the angles whose cosines and sines are [T, 1, D/2], products rounded as transformers does.
Tensor rotate(const Tensor &x, const Tensor &cos, const Tensor &sin) {
  int64_t half = x.size(2) / 2;
  Tensor a = x.narrow(2, 0, half), b = x.narrow(2, half, half);
  return at::cat({a * cos - b * sin, b * cos + a * sin}, 2);
}

struct Rope : torch::autograd::Function<Rope> {
  static Tensor forward(AutogradContext *ctx, Tensor x, Tensor cos, Tensor sin) {
    cos = cos.to(x.scalar_type()).unsqueeze(1), sin = sin.to(x.scalar_type()).unsqueeze(1);
    ctx->save_for_backward({cos, sin});
    return rotate(x, cos, sin);
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    return {rotate(grads[0], saved[0], -saved[1]), Tensor(), Tensor()};
  }
};

struct SwiGLU : torch::autograd::Function<SwiGLU> {
  static Tensor forward(AutogradContext *ctx, Tensor gate, Tensor up) {
    ctx->save_for_backward({gate, up});
    return at::silu(gate).mul_(up);
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    return {at::silu_backward(grads[0] * saved[1], saved[0]), at::silu(saved[0]).mul_(grads[0])};
  }
};

// RMSNorm keeps x alone and computes the rest again: its own graph would keep four tensors of x's size in fp32.
struct RMSNorm : torch::autograd::Function<RMSNorm> {
  static Tensor forward(AutogradContext *ctx, Tensor x, Tensor w, double eps) {
    auto type = sum_type(x);
    Tensor wide = x.to(type), r = at::rsqrt(at::mean(wide * wide, -1, /*keepdim=*/true) + eps);
    ctx->save_for_backward({x, w, r});
    return (wide * r).to(x.scalar_type()).mul_(w); // rounded before the weight, as transformers' LlamaRMSNorm
  }
  // dx = r·(g·w − x̂·mean(g·w·x̂)); dw = Σ g·x̂.
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    Tensor x = saved[0], w = saved[1], r = saved[2], g = grads[0].to(r.scalar_type()), dw;
    Tensor unit = x.to(r.scalar_type()) * r;
    if (ctx->needs_input_grad(1)) dw = (g * unit).reshape({-1, x.size(-1)}).sum(0).to(w.scalar_type());
    Tensor gw = g * w;
    Tensor dx = (gw - unit * at::mean(gw * unit, -1, /*keepdim=*/true)).mul_(r);
    return {dx.to(x.scalar_type()), dw, Tensor()};
  }
};

} // namespace

namespace revela {

Tensor device_rms_norm(const Tensor &x, const Tensor &w, double eps) {
  if (has_kernel("aten::_fused_rms_norm", x)) return std::get<0>(at::_fused_rms_norm(x, w.sizes(), w, eps));
  return RMSNorm::apply(x, w, eps);
}

Tensor device_rope(const Tensor &x, const Tensor &cos, const Tensor &sin) { return Rope::apply(x, cos, sin); }

Tensor device_swiglu(const Tensor &gate, const Tensor &up) { return SwiGLU::apply(gate, up); }

} // namespace revela
