// The chains of shim_fused.cpp without autograd, for operations that are made of them, on any device. Tensors are contiguous.
#pragma once
#include <ATen/core/Tensor.h>

namespace revela {

struct Normed { at::Tensor y, inverse; }; // inverse [rows] is 1/rms(x)
Normed rms_forward(const at::Tensor &x, const at::Tensor &w, double eps);

struct NormGradients { at::Tensor x, w; };
// rms_backward adds onto, if that is there, to the gradient of x.
NormGradients rms_backward(const at::Tensor &g, const at::Tensor &x, const at::Tensor &w, const at::Tensor &inverse, bool want_w,
                           const at::Tensor &onto = {});

at::Tensor swiglu_forward(const at::Tensor &gate, const at::Tensor &up);

struct GateGradients { at::Tensor gate, up; };
GateGradients swiglu_backward(const at::Tensor &d, const at::Tensor &gate, const at::Tensor &up);

} // namespace revela
