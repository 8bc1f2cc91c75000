// Linear layers with their LoRA as the fused operations of a decoder layer hold them: forward, backward, what autograd knows of
// them, and their handles in the C interface.
#pragma once
#include "shim.hpp"
#include "shim_dropout.hpp"
#include "shim_gemm.hpp"
#include "shim_panels.hpp"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>
#include <algorithm>

namespace revela {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Projection is y = x Wᵀ + bias + scale · (dropout(x) Aᵀ) Bᵀ; bias, or A and B, may be undefined. W may be packed; then back
// is Wᵀ, packed, for the gradient of x.
struct Projection {
  Tensor w, bias, a, b, back;
  double scale;
  Dropout drop;

  Tensor dropped(const Tensor &x) const { return drop ? drop.of(x.contiguous()) : x; }

  // lowered is LoRA's scale · (dropout(x) Aᵀ), [T, rank]; undefined without LoRA.
  Tensor lowered(const Tensor &x) const { return a.defined() ? lower(dropped(x), a, scale) : Tensor(); }

  // forward adds to onto where that is defined; low is kept for backward.
  Tensor forward(const Tensor &x, const Tensor &onto, Tensor &low) const {
    low = lowered(x);
    return onto.defined() ? product_onto(onto, x, w, bias, {low, b}) : product(x, w, bias, Activation::none, {low, b});
  }

  struct Gradients { Tensor w, bias, a, b; };

  // backward adds the gradient of x to dx, or makes it where dx is undefined.
  Gradients backward(const Tensor &dy, const Tensor &x, const Tensor &low, Tensor &dx, bool want_w, bool want_low) const {
    if (!dy.is_cpu()) return backward_on_device(dy, x, low, dx, want_w, want_low);
    Gradients g;
    Tensor wt = back.defined() ? back : unpack(w).t(), dlow; // [in, out]
    if (a.defined()) dlow = lower(dy, b.t(), scale);         // [T, rank]
    LowRank half;
    if (a.defined() && !drop) half = {dlow, a.t()};
    if (dx.defined()) accumulate(dx, dy, wt, half);
    else dx = product(dy, wt, {}, Activation::none, half);
    if (a.defined() && drop) drop.add_to(dx, at::mm(dlow, a));
    if (want_w) g.w = at::mm(dy.t(), x);
    if (want_w && bias.defined()) g.bias = dy.sum(0);
    if (a.defined() && want_low) g.a = transposed_product(dlow, dropped(x)), g.b = transposed_product(low, dy).t().contiguous();
    return g;
  }

private:
  // backward_on_device is the same on another device than the CPU. Gradients of LoRA's factors are fp32 there, the type that they learn in.
  Gradients backward_on_device(const Tensor &dy, const Tensor &x, const Tensor &low, Tensor &dx, bool want_w, bool want_low) const {
    Gradients g;
    if (dx.defined()) gemm(dx, {dy}, {w}, 1, 1);
    else dx = multiplied({dy}, {w});
    if (want_w) g.w = multiplied({dy, true}, {x});
    if (want_w && bias.defined()) g.bias = dy.sum(0);
    if (!a.defined()) return g;
    bool wide = dy.scalar_type() == at::kBFloat16;
    Tensor dlow = multiplied({dy}, {b}, scale);
    if (drop) drop.add_to(dx, multiplied({dlow}, {a}));
    else gemm(dx, {dlow}, {a}, 1, 1);
    if (want_low) g.a = multiplied({dlow, true}, {dropped(x)}, 1, wide), g.b = multiplied({dy, true}, {low}, 1, wide);
    return g;
  }
};

inline Tensor value(const Maybe &t) { return t ? *t : Tensor(); }

constexpr int kParts = 4;   // tensors of a projection that autograd knows
constexpr int kBeside = 3;  // and that it does not: the packed Wᵀ, A and B in the type of the rows; each may be undefined
constexpr int kNumbers = 2; // of a projection: LoRA's scale and dropout

// Settings are what projections have besides those tensors. With dropout they draw a seed each.
struct Settings {
  variable_list back;
  std::vector<double> numbers;
  std::vector<int64_t> seeds;

  Settings(const variable_list &beside, std::vector<double> n) : numbers(std::move(n)) {
    for (size_t i = 0; i < beside.size(); i += kBeside) back.push_back(beside[i]);
    for (size_t i = 0; i < back.size(); i++) seeds.push_back(numbers[kNumbers * i + 1] > 0 ? draw_seed() : 0);
  }
  explicit Settings(AutogradContext *ctx)
      : back(ctx->saved_data["back"].toTensorVector()), numbers(ctx->saved_data["numbers"].toDoubleVector()),
        seeds(ctx->saved_data["seeds"].toIntVector()) {}
  void save(AutogradContext *ctx) const {
    ctx->saved_data["back"] = back, ctx->saved_data["numbers"] = numbers, ctx->saved_data["seeds"] = seeds;
  }
};

// projections reads them from a list of tensors.
inline std::vector<Projection> projections(const variable_list &t, size_t from, const Settings &s) {
  std::vector<Projection> list;
  for (size_t i = 0; i < s.back.size(); i++, from += kParts) {
    double scale = s.numbers[kNumbers * i], p = s.numbers[kNumbers * i + 1];
    list.push_back({t[from], t[from + 1], t[from + 2], t[from + 3], s.back[i], scale, {p, s.seeds[i]}});
  }
  return list;
}

// computed is one of LoRA's factors in x's type: it may learn in fp32, and is multiplied in the type of the rows.
inline Tensor computed(const Maybe &p, const Tensor &cast, const Tensor &x) {
  if (cast.defined()) return cast;
  return p && p->scalar_type() != x.scalar_type() ? p->to(x.scalar_type()) : value(p);
}

// to_save lists an operation's inputs as they are computed with: x, norm and the parts of three projections.
inline variable_list to_save(const Tensor &x, const Tensor &norm, std::initializer_list<Maybe> parts, const variable_list &beside) {
  variable_list t{x, norm};
  size_t i = 0;
  for (auto &p : parts) {
    size_t part = i % kParts, at = kBeside * (i / kParts); // w, bias, A, B
    t.push_back(part < 2 ? value(p) : computed(p, beside[at + part - 1], x));
    i++;
  }
  return t;
}

inline void append(variable_list &to, const Projection::Gradients &g) { to.insert(to.end(), {g.w, g.bias, g.a, g.b}); }

// wants reports whether the tensor at i of the operation's inputs needs a gradient: libtorch counts those that are there.
inline bool wants(AutogradContext *ctx, const variable_list &in, size_t i, size_t before = 0) {
  if (!in[i].defined()) return false;
  return ctx->needs_input_grad(before + std::count_if(in.begin(), in.begin() + i, [](const Tensor &t) { return t.defined(); }));
}

// Parts are n projections from the handles of the C interface: tensors that autograd knows, and what lies beside.
struct Parts {
  variable_list t, beside;

  Parts(const char *name, const Tensor &x, void **handles, int n) {
    for (int i = 0; i < n; i++, handles += kParts + kBeside) {
      variable_list p = list(handles, kParts + kBeside);
      TORCH_CHECK(x.dim() >= 2 && p[0].defined() && p[2].defined() == p[3].defined() &&
                      (!p[2].defined() || (p[2].size(1) == inputs(p[0]) && p[3].size(0) == outputs(p[0]) && p[2].size(0) == p[3].size(1))),
                  name, ": projection ", i, " of x ", x.sizes(), " has weight ", p[0].sizes(),
                  "; [out, in], [rank, in], [out, rank] expected");
      t.insert(t.end(), p.begin(), p.begin() + kParts);
      beside.insert(beside.end(), p.begin() + kParts, p.end());
    }
  }
};

// apply runs an operation on three projections.
template <class Operation, class... Rest> auto apply(const Tensor &x, const Tensor &norm, const Parts &p, Rest... rest) {
  auto &t = p.t;
  return Operation::apply(x, norm, t[0], maybe(t[1]), maybe(t[2]), maybe(t[3]), t[4], maybe(t[5]), maybe(t[6]), maybe(t[7]), t[8],
                          maybe(t[9]), maybe(t[10]), maybe(t[11]), p.beside, rest...);
}

} // namespace revela
