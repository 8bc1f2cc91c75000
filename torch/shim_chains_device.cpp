// The loops of shim_fused.cpp, shim_dropout.cpp and shim_loss.cpp for other devices than the CPU: our own kernels where the device has
// them (kernels/), else libtorch's operations.
#include "shim_chains_device.hpp"
#include "shim.hpp"
#include "shim_kernels.hpp"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

using at::Tensor;
using revela::sum_type;

namespace revela::on_device {

Normed rms_forward(const Tensor &x, const Tensor &w, double eps) {
  int64_t n = x.size(-1), rows = n ? x.numel() / n : 0;
  if (has_kernels(x)) {
    Normed out{at::empty(x.sizes(), x.options()), at::empty({rows}, x.options().dtype(sum_type(x)))};
    int64_t pack = pack_of(n, {x, w, out.y}), packs = n / pack;
    Launch{"rms_norm", x, pack, rows, row_threads(packs)}(x.const_data_ptr(), w.const_data_ptr(), eps, packs, out.y.mutable_data_ptr(),
                                                          out.inverse.mutable_data_ptr());
    return out;
  }
  Tensor wide = x.to(sum_type(x)), r = at::rsqrt(at::mean(wide * wide, -1, /*keepdim=*/true) + eps);
  return {(wide * r).to(x.scalar_type()).mul_(w), r.flatten()}; // rounded before the weight, as transformers' LlamaRMSNorm
}

NormGradients rms_backward(const Tensor &g, const Tensor &x, const Tensor &w, const Tensor &inverse, bool want_w, const Tensor &onto) {
  int64_t n = x.size(-1), rows = inverse.numel();
  Tensor dw;
  if (want_w) {
    Tensor unit = x.reshape({-1, n}).to(inverse.scalar_type()) * inverse.unsqueeze(1);
    dw = (g.reshape({-1, n}) * unit).sum(0).to(w.scalar_type());
  }
  if (has_kernels(x)) {
    Tensor dx = at::empty(x.sizes(), x.options());
    int64_t pack = pack_of(n, {x, g, w, onto, dx}), packs = n / pack;
    Launch{"rms_norm_back", x, pack, rows, row_threads(packs)}(g.const_data_ptr(), x.const_data_ptr(), w.const_data_ptr(),
                                                               inverse.const_data_ptr(), onto.defined() ? onto.const_data_ptr() : nullptr,
                                                               packs, dx.mutable_data_ptr());
    return {dx, dw};
  }
  auto shape = x.sizes().vec();
  shape.back() = 1;
  Tensor r = inverse.view(shape), unit = x.to(r.scalar_type()) * r, gw = g.to(r.scalar_type()) * w;
  Tensor dx = (gw - unit * at::mean(gw * unit, -1, /*keepdim=*/true)).mul_(r).to(x.scalar_type());
  return {onto.defined() ? dx.add_(onto) : dx, dw};
}

Tensor rotate(const Tensor &x, const Tensor &cos, const Tensor &sin, int sign) {
  int64_t heads = x.size(1), half = x.size(2) / 2;
  if (has_kernels(x) && cos.scalar_type() == at::kFloat) {
    Tensor y = at::empty(x.sizes(), x.options());
    int64_t pack = pack_of(half, {x, y}), packs = half / pack, count = x.size(0) * heads * packs;
    Launch{"rope", x, pack, blocks_for(count)}(x.const_data_ptr(), cos.const_data_ptr(), sin.const_data_ptr(), (double)sign, heads, packs,
                                               count, y.mutable_data_ptr());
    return y;
  }
  Tensor c = cos.to(x.scalar_type()).unsqueeze(1), s = sin.to(x.scalar_type()).unsqueeze(1).mul(sign);
  Tensor a = x.narrow(2, 0, half), b = x.narrow(2, half, half);
  return at::cat({a * c - b * s, b * c + a * s}, 2); // products rounded as transformers does
}

Tensor swiglu_forward(const Tensor &gate, const Tensor &up) {
  if (!has_kernels(gate)) return at::silu(gate).mul_(up);
  Tensor y = at::empty(gate.sizes(), gate.options());
  int64_t pack = pack_of(gate.numel(), {gate, up, y}), packs = gate.numel() / pack;
  Launch{"swiglu", gate, pack, blocks_for(packs)}(gate.const_data_ptr(), up.const_data_ptr(), packs, y.mutable_data_ptr());
  return y;
}

GateGradients swiglu_backward(const Tensor &d, const Tensor &gate, const Tensor &up) {
  if (!has_kernels(gate)) return {at::silu_backward(d * up, gate), at::silu(gate).mul_(d)};
  GateGradients out{at::empty(gate.sizes(), gate.options()), at::empty(up.sizes(), up.options())};
  int64_t pack = pack_of(gate.numel(), {d, gate, up, out.gate, out.up}), packs = gate.numel() / pack;
  Launch{"swiglu_back", gate, pack, blocks_for(packs)}(d.const_data_ptr(), gate.const_data_ptr(), up.const_data_ptr(), packs,
                                                       out.gate.mutable_data_ptr(), out.up.mutable_data_ptr());
  return out;
}

void drop(const DropoutMask &m, const Tensor &x, bool add, Tensor &y) {
  if (!has_kernels(x)) { // the mask is the CPU's
    Tensor ones = at::ones(x.sizes(), at::TensorOptions(sum_type(x))), mask = at::empty_like(ones);
    drop_on_cpu(m, ones, false, mask);
    Tensor kept = (x * mask.to(x.device())).to(x.scalar_type());
    add ? y.add_(kept) : y.copy_(kept);
    return;
  }
  int64_t pack = pack_of(x.numel(), {x, y}), packs = x.numel() / pack;
  Launch{"drop", x, pack, blocks_for(packs)}(x.const_data_ptr(), m.start, m.low, m.high, m.least, m.scale, (int)add, packs,
                                             y.mutable_data_ptr());
}

void entropy(Tensor &logits, const Tensor &labels, double scale, Tensor losses) {
  int64_t rows = logits.size(0), n = logits.size(1);
  if (has_kernels(logits) && logits.is_contiguous()) {
    int64_t pack = pack_of(n, {logits}), packs = n / pack;
    Launch{"entropy", logits, pack, rows, row_threads(packs)}(logits.mutable_data_ptr(), labels.const_data_ptr(), scale, packs,
                                                              losses.mutable_data_ptr());
    return;
  }
  Tensor logp = at::log_softmax(logits.to(sum_type(logits)), 1), index = labels.unsqueeze(1);
  losses.copy_(-logp.gather(1, index).squeeze(1));
  if (!(scale > 0)) return;
  Tensor p = logp.exp_();
  p.scatter_add_(1, index, at::full_like(index, -1, p.options()));
  logits.copy_(p * scale);
}

} // namespace revela::on_device
