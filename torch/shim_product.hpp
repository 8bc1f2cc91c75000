// Products with the weights of linear layers, x Wᵀ. A frozen weight may be packed: laid out once as the processor's kernels
// read it instead of in every product. A packed weight is a tensor of libtorch's mkldnn layout, or panels (shim_panels.hpp).
#pragma once
#include <ATen/core/Tensor.h>

namespace revela {

// Maybe is an argument of one of libtorch's operations, which asks every tensor that is there for its device.
using Maybe = std::optional<at::Tensor>;
inline Maybe maybe(const at::Tensor &t) { return t.defined() ? Maybe(t) : Maybe(); }

// pack lays w [out, in], of any strides, out for oneDNN; the result is undefined where this machine has no use for it.
at::Tensor pack(const at::Tensor &w);
at::Tensor unpack(const at::Tensor &w); // dense again, whatever w was
int64_t outputs(const at::Tensor &w);   // of a weight, packed or not
int64_t inputs(const at::Tensor &w);

// Activation is applied to a product's rows: none, GELU by the error function or by tanh, ReLU.
enum class Activation : int { none, gelu, gelu_tanh, relu };

// LowRank is LoRA's half of a product, x wᵀ of x [T, rank] and w [out, rank]; both may be undefined.
struct LowRank {
  at::Tensor x, w;
};

// product is activation(x wᵀ + bias + low), [T, out] of x [T, in]; w is dense, of any strides, or packed; bias may be
// undefined.
at::Tensor product(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias = {}, Activation f = Activation::none,
                   const LowRank &low = {});

// product_onto is onto + (x wᵀ + bias + low). In bf16 on the CPU the product is rounded before it is
// added, as transformers does.
at::Tensor product_onto(const at::Tensor &onto, const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias, const LowRank &low);

// accumulate adds x wᵀ + low to sum in place.
void accumulate(at::Tensor &sum, const at::Tensor &x, const at::Tensor &w, const LowRank &low);

at::Tensor activate(const at::Tensor &x, Activation f);
at::Tensor activate_backward(const at::Tensor &dy, const at::Tensor &x, Activation f);

} // namespace revela
