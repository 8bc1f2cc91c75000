#include "shim_panels.hpp"
#include "shim.h"
#include "shim.hpp"
#include "shim_gemm.hpp"
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>

using at::Tensor;

namespace revela {

namespace {

// operation finds one of libtorch's operations that have no C++ function of their own.
template <class Signature> c10::TypedOperatorHandle<Signature> operation(const char *name, const char *overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

// by_onednn is activation(x wᵀ + bias) by oneDNN's inner product, whose weight is packed or dense.
Tensor by_onednn(const Tensor &x, const Tensor &w, const Tensor &bias, Activation f) {
  using Signature = Tensor(const Tensor &, const Tensor &, const Maybe &, std::string_view, c10::List<std::optional<at::Scalar>>,
                           std::optional<std::string_view>);
  static auto op = operation<Signature>("mkldnn::_linear_pointwise", "");
  static const char *names[] = {"none", "gelu", "gelu", "relu"};
  return op.call(x, w, maybe(bias), names[(int)f], c10::List<std::optional<at::Scalar>>(), f == Activation::gelu_tanh ? "tanh" : "none");
}

Tensor by_onednn_onto(const Tensor &onto, const Tensor &x, const Tensor &w, const Tensor &bias) {
  using Signature = Tensor(const Tensor &, const Tensor &, const Tensor &, const Maybe &, std::string_view);
  static auto op = operation<Signature>("mkldnn::_linear_pointwise", "binary");
  return op.call(x, onto, w, maybe(bias), "add");
}

// can_reorder reports whether oneDNN multiplies w [out, in] here: fp32 on the CPU, or bf16 on one with AVX-512.
bool can_reorder(const Tensor &w) {
  static const bool there = at::hasMKLDNN() && c10::Dispatcher::singleton().findSchema({"mkldnn::_reorder_linear_weight", ""});
  static const bool bf16_there = there && operation<bool()>("mkldnn::_is_mkldnn_bf16_supported", "").call();
  return there && w.is_cpu() && (w.scalar_type() == at::kFloat || (bf16_there && w.scalar_type() == at::kBFloat16));
}

// dense_by_onednn reports whether oneDNN is the faster one for a dense weight: in fp32, where libtorch multiplies by BLAS,
// from as many rows on as pay for laying the weight out.
bool dense_by_onednn(const Tensor &x, const Tensor &w) {
  constexpr int64_t enough = 256;
  return w.scalar_type() == at::kFloat && can_reorder(w) && x.size(0) >= enough;
}

bool onednn(const Tensor &x, const Tensor &w) { return x.size(0) > 0 && (w.is_mkldnn() || dense_by_onednn(x, w)); }

// with_low adds LoRA's half to y in another product.
Tensor with_low(Tensor y, const LowRank &low) { return low.x.defined() ? y.addmm_(low.x, low.w.t()) : y; }

// by_gemm is onto + x wᵀ + bias + low on a device; onto may be undefined.
Tensor by_gemm(const Tensor &onto, const Tensor &x, const Tensor &w, const Tensor &bias, const LowRank &low) {
  Tensor y = at::empty({x.size(0), w.size(0)}, x.options());
  if (bias.defined()) y.copy_(bias);
  if (onto.defined() && bias.defined()) y.add_(onto);
  gemm(y, {x}, {w, true}, 1, onto.defined() || bias.defined(), bias.defined() ? y : onto);
  if (low.x.defined()) gemm(y, {low.x}, {low.w, true}, 1, 1);
  return y;
}

} // namespace

Tensor pack(const Tensor &w) {
  if (!can_reorder(w)) return {};
  constexpr int64_t rows = 1024; // a hint; the layout is the same for all but very few rows
  using Signature = Tensor(const Tensor &, std::optional<int64_t>);
  static auto op = operation<Signature>("mkldnn::_reorder_linear_weight", "");
  return op.call(w, rows);
}

Tensor unpack(const Tensor &w) { return is_panels(w) ? from_panels(w) : w.is_mkldnn() ? w.to_dense() : w; }

int64_t outputs(const Tensor &w) { return is_panels(w) ? panel_outputs(w) : w.size(0); }
int64_t inputs(const Tensor &w) { return is_panels(w) ? panel_inputs(w) : w.size(1); }

Tensor activate(const Tensor &x, Activation f) {
  switch (f) {
  case Activation::gelu: return at::gelu(x, "none");
  case Activation::gelu_tanh: return at::gelu(x, "tanh");
  case Activation::relu: return at::relu(x);
  default: return x;
  }
}

Tensor activate_backward(const Tensor &dy, const Tensor &x, Activation f) {
  switch (f) {
  case Activation::gelu: return at::gelu_backward(dy, x, "none");
  case Activation::gelu_tanh: return at::gelu_backward(dy, x, "tanh");
  case Activation::relu: return at::threshold_backward(dy, x, 0);
  default: return dy;
  }
}

Tensor product(const Tensor &x, const Tensor &w, const Tensor &bias, Activation f, const LowRank &low) {
  if (is_panels(w)) return activate(panel_product(x, w, bias, low, {}), f);
  if (!x.is_cpu()) return activate(by_gemm({}, x, w, bias, low), f);
  if (onednn(x, w)) {
    bool after = low.x.defined(); // the activation is part of oneDNN's product unless LoRA's half is to be added first
    Tensor y = with_low(by_onednn(x.contiguous(), w, bias, after ? Activation::none : f), low);
    return after ? activate(y, f) : y;
  }
  Tensor wt = unpack(w).t();
  return activate(with_low(bias.defined() ? at::addmm(bias, x, wt) : at::mm(x, wt), low), f);
}

Tensor product_onto(const Tensor &onto, const Tensor &x, const Tensor &w, const Tensor &bias, const LowRank &low) {
  if (is_panels(w)) return panel_product(x, w, bias, low, {onto, /*after=*/true});
  if (!x.is_cpu()) return by_gemm(onto.contiguous(), x, w, bias, low);
  if (x.scalar_type() != at::kFloat) return product(x, w, bias, Activation::none, low).add_(onto);
  if (onednn(x, w)) return with_low(by_onednn_onto(onto, x.contiguous(), w, bias), low);
  Tensor y = with_low(at::addmm(onto, x, unpack(w).t()), low);
  return bias.defined() ? y.add_(bias) : y;
}

void accumulate(Tensor &sum, const Tensor &x, const Tensor &w, const LowRank &low) {
  if (is_panels(w)) panel_product(x, w, {}, low, {sum, /*after=*/false}, sum);
  else if (onednn(x, w)) sum = with_low(by_onednn_onto(sum, x.contiguous(), w, {}), low);
  else with_low(sum.addmm_(x, unpack(w).t()), low);
}

} // namespace revela

using namespace revela;

char *revela_pack(void *w, int transposed, void **out) {
  return guard([&] {
    Tensor &W = T(w);
    Tensor packed = W.dim() == 2 ? pack(transposed ? W.t() : W) : Tensor();
    *out = packed.defined() ? release(packed) : nullptr;
  });
}

char *revela_unpack(void *w, void **out) {
  return guard([&] { *out = release(unpack(T(w))); });
}
