// What shim_fused.hpp, shim_dropout.hpp and shim_loss.cpp compute, for tensors on other devices than the CPU.
#pragma once
#include "shim_dropout.hpp"
#include "shim_fused.hpp"

namespace revela::on_device {

Normed rms_forward(const at::Tensor &x, const at::Tensor &w, double eps);
NormGradients rms_backward(const at::Tensor &g, const at::Tensor &x, const at::Tensor &w, const at::Tensor &inverse, bool want_w,
                           const at::Tensor &onto);
at::Tensor rotate(const at::Tensor &x, const at::Tensor &cos, const at::Tensor &sin, int sign);
at::Tensor swiglu_forward(const at::Tensor &gate, const at::Tensor &up);
GateGradients swiglu_backward(const at::Tensor &d, const at::Tensor &gate, const at::Tensor &up);

// drop makes y the kept elements of x, or adds them to it.
void drop(const DropoutMask &m, const at::Tensor &x, bool add, at::Tensor &y);

// entropy fills losses with −log softmax(logits)[label] by rows and, with scale > 0, turns logits into scale times their gradient.
void entropy(at::Tensor &logits, const at::Tensor &labels, double scale, at::Tensor losses);

} // namespace revela::on_device
