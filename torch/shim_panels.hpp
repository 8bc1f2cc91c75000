// Products of rows with a frozen weight that was laid out once, in panels, as small blocks of it are multiplied: of bf16 in
// pairs, for the processor's dot product. LoRA's half, which costs another product and another pass over the result in
// libtorch's, joins the sums here before they are rounded, as do the bias and the residual. Where no gradient passes,
// oneDNN's layout is the faster one, as its products apply the activation too.
//
// The panels of a weight [out, in] are a tensor of three dimensions: of 64 outputs, input by input [out/64, in, 64] in fp32,
// pair by pair of inputs [out/64, in/2, 128] in bf16.
#pragma once
#include "shim_product.hpp"

namespace revela {

// multiplies_bf16 reports whether t is a matrix of bf16 on a processor with a bf16 dot product.
bool multiplies_bf16(const at::Tensor &t);

// multiplies_fp32 reports whether t is a matrix of fp32 on a processor whose small blocks libtorch multiplies.
bool multiplies_fp32(const at::Tensor &t);

// can_panel reports whether w [out, in] and its transpose can be laid out, and this processor has use for it.
bool can_panel(const at::Tensor &w);
bool is_panels(const at::Tensor &w);

// to_panels lays out w [out, in], of any strides, with a multiple of 64 outputs and, of bf16, an even number of inputs.
at::Tensor to_panels(const at::Tensor &w);
at::Tensor from_panels(const at::Tensor &panels);
int64_t panel_outputs(const at::Tensor &panels);
int64_t panel_inputs(const at::Tensor &panels);

// Onto is what a product is added to, [T, out]: after the product is rounded, or before.
struct Onto {
  at::Tensor t;
  bool after;
};

// panel_product is x wᵀ + bias + low + onto, [T, out] of x [T, in]; written to out where that is defined.
at::Tensor panel_product(const at::Tensor &x, const at::Tensor &panels, const at::Tensor &bias, const LowRank &low,
                         const Onto &onto, at::Tensor out = {});

// lower is scale · (x aᵀ), [T, rank] of x [T, in] and LoRA's a [rank, in], of any type.
at::Tensor lower(const at::Tensor &x, const at::Tensor &a, double scale);

// transposed_product is aᵀ b, [rank, n] of a [T, rank] and b [T, n], of any type: a gradient of LoRA's.
at::Tensor transposed_product(const at::Tensor &a, const at::Tensor &b);

} // namespace revela
