// Products with the weights of linear layers, x Wᵀ. A frozen weight may be packed: laid out once as oneDNN's kernels read it
// instead of in every product. Packed weights are tensors of libtorch's mkldnn layout and keep their shape [out, in].
#pragma once
#include <ATen/core/Tensor.h>

namespace revela {

// can_pack reports whether oneDNN multiplies w [out, in] here: fp32 or bf16 on the CPU.
bool can_pack(const at::Tensor &w);
at::Tensor pack(const at::Tensor &w);

// Activation is applied to a product's rows: none, GELU by the error function or by tanh, ReLU.
enum class Activation : int { none, gelu, gelu_tanh, relu };

// product is activation(x wᵀ + bias), [T, out] of x [T, in]; w is dense, of any strides, or packed; bias may be undefined.
at::Tensor product(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias = {}, Activation f = Activation::none);

// product_onto is onto + x wᵀ + bias; it may be written to onto where that is the caller's own.
at::Tensor product_onto(at::Tensor onto, bool own, const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias = {});

at::Tensor activate(const at::Tensor &x, Activation f);
at::Tensor activate_backward(const at::Tensor &dy, const at::Tensor &x, Activation f);

} // namespace revela
