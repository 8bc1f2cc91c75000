#include "shim_product.hpp"
#include "shim.h"
#include "shim.hpp"
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>

using at::Tensor;
using Maybe = std::optional<Tensor>;

namespace revela {

namespace {

// operation finds one of libtorch's operations that have no C++ function of their own.
template <class Signature> c10::TypedOperatorHandle<Signature> operation(const char *name, const char *overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

Maybe maybe(const Tensor &t) { return t.defined() ? Maybe(t) : Maybe(); }

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

// dense_by_onednn reports whether oneDNN is the faster one for a dense weight: in fp32, where libtorch multiplies by BLAS,
// from as many rows on as pay for laying the weight out.
bool dense_by_onednn(const Tensor &x, const Tensor &w) {
  constexpr int64_t enough = 256;
  return w.scalar_type() == at::kFloat && can_pack(w) && x.size(0) >= enough;
}

bool onednn(const Tensor &x, const Tensor &w) { return x.size(0) > 0 && (w.is_mkldnn() || dense_by_onednn(x, w)); }

// dense is w for operations of libtorch.
Tensor dense(const Tensor &w) { return w.is_mkldnn() ? w.to_dense() : w; }

} // namespace

bool can_pack(const Tensor &w) {
  static const bool there = at::hasMKLDNN() && c10::Dispatcher::singleton().findSchema({"mkldnn::_reorder_linear_weight", ""});
  return there && w.is_cpu() && (w.scalar_type() == at::kFloat || w.scalar_type() == at::kBFloat16);
}

Tensor pack(const Tensor &w) {
  constexpr int64_t rows = 1024; // a hint; the layout is the same for all but very few rows
  using Signature = Tensor(const Tensor &, std::optional<int64_t>);
  static auto op = operation<Signature>("mkldnn::_reorder_linear_weight", "");
  return op.call(w, rows);
}

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

Tensor product(const Tensor &x, const Tensor &w, const Tensor &bias, Activation f) {
  if (onednn(x, w)) return by_onednn(x.contiguous(), w, bias, f);
  Tensor wt = dense(w).t();
  return activate(bias.defined() ? at::addmm(bias, x, wt) : at::mm(x, wt), f);
}

Tensor product_onto(Tensor onto, bool own, const Tensor &x, const Tensor &w, const Tensor &bias) {
  if (onednn(x, w)) return by_onednn_onto(onto, x.contiguous(), w, bias);
  if (!own) onto = onto.clone();
  onto.addmm_(x, dense(w).t());
  return bias.defined() ? onto.add_(bias) : onto;
}

} // namespace revela

using namespace revela;

char *revela_pack(void *w, int transposed, void **out) {
  return guard([&] {
    Tensor &W = T(w);
    *out = W.dim() == 2 && can_pack(W) ? release(pack(transposed ? W.t() : W)) : nullptr;
  });
}

char *revela_unpack(void *w, void **out) {
  return guard([&] { *out = release(T(w).is_mkldnn() ? T(w).to_dense() : T(w)); });
}
