// The linear layers of a decoder layer with what stands around them, as one operation each: norm and projections, norm and
// gated feed-forward, projection and residual. Backward computes the norm's result and the gate's product again, which
// costs a pass over memory and saves a third of the activations; gradients of a shared input are summed by the products.
#include "shim.h"
#include "shim_device.hpp"
#include "shim_fused.hpp"
#include "shim_panels.hpp"
#include "shim.hpp"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <algorithm>

using at::Tensor;
using namespace revela;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Projection is y = x Wᵀ + bias + scale · (x Aᵀ) Bᵀ; bias, or A and B, may be undefined. W may be packed; then back is Wᵀ,
// packed, for the gradient of x.
struct Projection {
  Tensor w, bias, a, b, back;
  double scale;

  // forward adds to onto where that is defined; low is kept for backward.
  Tensor forward(const Tensor &x, const Tensor &onto, Tensor &low) const {
    if (a.defined()) low = lower(x, a, scale); // [T, rank]
    return onto.defined() ? product_onto(onto, x, w, bias, {low, b}) : product(x, w, bias, Activation::none, {low, b});
  }

  struct Gradients { Tensor w, bias, a, b; };

  // backward adds the gradient of x to dx, or makes it where dx is undefined.
  Gradients backward(const Tensor &dy, const Tensor &x, const Tensor &low, Tensor &dx, bool want_w, bool want_low) const {
    Gradients g;
    Tensor wt = back.defined() ? back : unpack(w).t(), dlow; // [in, out]
    if (a.defined()) dlow = lower(dy, b.t(), scale);         // [T, rank]
    LowRank half{dlow, a.defined() ? a.t() : Tensor()};
    if (dx.defined()) accumulate(dx, dy, wt, half);
    else dx = product(dy, wt, {}, Activation::none, half);
    if (want_w) g.w = at::mm(dy.t(), x);
    if (want_w && bias.defined()) g.bias = dy.sum(0);
    if (a.defined() && want_low) g.a = transposed_product(dlow, x), g.b = transposed_product(low, dy).t().contiguous();
    return g;
  }

  // plain is the same in operations that libtorch differentiates, for devices other than the CPU.
  Tensor plain(const Tensor &x) const {
    Tensor y = bias.defined() ? at::addmm(bias, x, w.t()) : at::mm(x, w.t());
    return a.defined() ? y + at::mm(at::mm(x, a.t()) * scale, b.t()) : y;
  }
};

// Maybe is an argument of an operation that may be undefined.
using Maybe = std::optional<Tensor>;

Tensor value(const Maybe &t) { return t ? *t : Tensor(); }

constexpr int kParts = 4; // tensors of a projection that autograd knows

// projections reads them from a list of tensors.
std::vector<Projection> projections(const variable_list &t, size_t from, const variable_list &back,
                                    const std::vector<double> &scales) {
  std::vector<Projection> list;
  for (size_t i = 0; i < scales.size(); i++, from += kParts)
    list.push_back({t[from], t[from + 1], t[from + 2], t[from + 3], back[i], scales[i]});
  return list;
}

// saved are the projections that forward put into a context, and settings that go with them.
void save(AutogradContext *ctx, const variable_list &back, const std::vector<double> &scales) {
  ctx->saved_data["back"] = back, ctx->saved_data["scales"] = scales;
}
std::vector<Projection> saved_projections(AutogradContext *ctx, const variable_list &t, size_t from) {
  return projections(t, from, ctx->saved_data["back"].toTensorVector(), ctx->saved_data["scales"].toDoubleVector());
}

variable_list to_save(const Tensor &x, const Tensor &norm, std::initializer_list<Maybe> parts) {
  variable_list t{x, norm};
  for (auto &p : parts) t.push_back(value(p));
  return t;
}

void append(variable_list &to, const Projection::Gradients &g) { to.insert(to.end(), {g.w, g.bias, g.a, g.b}); }

// wants reports whether the tensor at i of the operation's inputs needs a gradient: libtorch counts those that are there.
bool wants(AutogradContext *ctx, const variable_list &in, size_t i, size_t before = 0) {
  if (!in[i].defined()) return false;
  return ctx->needs_input_grad(before + std::count_if(in.begin(), in.begin() + i, [](const Tensor &t) { return t.defined(); }));
}

// NormProject: three projections of the normed rows of x; the first of the rows from `from` on alone.
struct NormProject : torch::autograd::Function<NormProject> {
  static variable_list forward(AutogradContext *ctx, Tensor x, Tensor norm, Tensor w0, Maybe c0, Maybe a0, Maybe b0, Tensor w1,
                               Maybe c1, Maybe a1, Maybe b1, Tensor w2, Maybe c2, Maybe a2, Maybe b2, variable_list back,
                               std::vector<double> scales, double eps, int64_t from) {
    x = x.contiguous(), norm = norm.contiguous();
    variable_list keep = to_save(x, norm, {w0, c0, a0, b0, w1, c1, a1, b1, w2, c2, a2, b2});
    auto list = projections(keep, 2, back, scales);
    Normed n = rms_forward(x, norm, eps);
    keep.push_back(n.inverse);
    variable_list out;
    for (int i = 0; i < 3; i++) {
      Tensor low;
      out.push_back(list[i].forward(i ? n.y : n.y.narrow(0, from, x.size(0) - from), Tensor(), low));
      keep.push_back(low);
    }
    ctx->save_for_backward(keep);
    save(ctx, back, scales);
    ctx->saved_data["eps"] = eps, ctx->saved_data["from"] = from;
    return out;
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto list = saved_projections(ctx, saved, 2);
    int64_t from = ctx->saved_data["from"].toInt(), rows = saved[0].size(0);
    Tensor n = rms_forward(saved[0], saved[1], ctx->saved_data["eps"].toDouble()).y, dn;
    std::vector<Projection::Gradients> g(3);
    for (int i : {1, 2, 0}) { // the first last: it adds to a part of the rows
      if (!grads[i].defined()) continue;
      if (!dn.defined() && i == 0) dn = at::zeros_like(n);
      Tensor part = i ? dn : dn.narrow(0, from, rows - from), dx = part, x = i ? n : n.narrow(0, from, rows - from);
      size_t at = 2 + kParts * i;
      g[i] = list[i].backward(grads[i].contiguous(), x, saved[15 + i], dx, wants(ctx, saved, at), wants(ctx, saved, at + 2));
      if (from == 0 || i) dn = dx;
      else part.copy_(dx);
    }
    NormGradients back = rms_backward(dn, saved[0], saved[1], saved[14], wants(ctx, saved, 1));
    variable_list out{back.x, back.w};
    for (auto &p : g) append(out, p);
    out.resize(18);
    return out;
  }
};

// GatedMLP: x + down(silu(gate(n)) · up(n)) with n = norm(x).
struct GatedMLP : torch::autograd::Function<GatedMLP> {
  static Tensor forward(AutogradContext *ctx, Tensor x, Tensor norm, Tensor w0, Maybe c0, Maybe a0, Maybe b0, Tensor w1,
                        Maybe c1, Maybe a1, Maybe b1, Tensor w2, Maybe c2, Maybe a2, Maybe b2, variable_list back,
                        std::vector<double> scales, double eps) {
    x = x.contiguous(), norm = norm.contiguous();
    variable_list keep = to_save(x, norm, {w0, c0, a0, b0, w1, c1, a1, b1, w2, c2, a2, b2});
    auto list = projections(keep, 2, back, scales);
    Normed n = rms_forward(x, norm, eps);
    Tensor low[3], gate = list[0].forward(n.y, Tensor(), low[0]), up = list[1].forward(n.y, Tensor(), low[1]);
    Tensor y = list[2].forward(swiglu_forward(gate, up), x, low[2]);
    keep.insert(keep.end(), {n.inverse, low[0], low[1], low[2], gate, up});
    ctx->save_for_backward(keep);
    save(ctx, back, scales);
    ctx->saved_data["eps"] = eps;
    return y;
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto list = saved_projections(ctx, saved, 2);
    auto back = [&](int i, const Tensor &dy, const Tensor &x, Tensor &dx) {
      size_t at = 2 + kParts * i;
      return list[i].backward(dy, x, saved[15 + i], dx, wants(ctx, saved, at), wants(ctx, saved, at + 2));
    };
    Tensor dy = grads[0].contiguous(), dact, dn;
    auto down = back(2, dy, swiglu_forward(saved[18], saved[19]), dact);
    GateGradients d = swiglu_backward(dact, saved[18], saved[19]);
    Tensor n = rms_forward(saved[0], saved[1], ctx->saved_data["eps"].toDouble()).y;
    auto gate = back(0, d.gate, n, dn), up = back(1, d.up, n, dn);
    NormGradients g = rms_backward(dn, saved[0], saved[1], saved[14], wants(ctx, saved, 1));
    variable_list out{g.x.add_(dy), g.w};
    append(out, gate), append(out, up), append(out, down);
    out.resize(17);
    return out;
  }
};

// Project: activation(onto + projection(x)); onto may be undefined. Without a gradient the activation is part of the product.
struct Project : torch::autograd::Function<Project> {
  static Tensor forward(AutogradContext *ctx, Maybe onto, Tensor x, Tensor w, Maybe bias, Maybe a, Maybe b, variable_list back,
                        double scale, int activation) {
    auto f = (Activation)activation;
    Projection p{w, value(bias), value(a), value(b), back[0], scale};
    Tensor low, y = p.forward(x, value(onto), low);
    ctx->save_for_backward({x, w, p.bias, p.a, p.b, low, f == Activation::none ? Tensor() : y});
    save(ctx, back, {scale});
    ctx->saved_data["onto"] = onto && onto->defined(), ctx->saved_data["activation"] = activation;
    return activate(y, f);
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    Projection p = saved_projections(ctx, saved, 1)[0];
    Tensor dy = activate_backward(grads[0].contiguous(), saved[6], (Activation)ctx->saved_data["activation"].toInt()), dx;
    bool onto = ctx->saved_data["onto"].toBool();
    auto g = p.backward(dy, saved[0], saved[5], dx, wants(ctx, saved, 1, onto), wants(ctx, saved, 3, onto));
    variable_list out{onto ? dy : Tensor(), dx, g.w, g.bias, g.a, g.b};
    out.resize(9);
    return out;
  }
};

// Parts are n projections from the handles of the C interface: four tensors each that autograd knows, and the packed Wᵀ.
struct Parts {
  variable_list t, back;

  Parts(const char *name, const Tensor &x, void **handles, int n) {
    for (int i = 0; i < n; i++, handles += kParts + 1) {
      variable_list p = list(handles, kParts + 1);
      TORCH_CHECK(x.dim() == 2 && p[0].defined() && p[2].defined() == p[3].defined() &&
                      (!p[2].defined() || (p[2].size(1) == inputs(p[0]) && p[3].size(0) == outputs(p[0]) && p[2].size(0) == p[3].size(1))),
                  name, ": projection ", i, " of x ", x.sizes(), " has weight ", p[0].sizes(),
                  "; [out, in], [rank, in], [out, rank] expected");
      t.insert(t.end(), p.begin(), p.begin() + kParts);
      back.push_back(p[kParts]);
    }
  }
};

// maybe keeps an undefined tensor from libtorch, which asks every tensor for its device.
Maybe maybe(const Tensor &t) { return t.defined() ? Maybe(t) : Maybe(); }

// apply runs an operation on three projections.
template <class Operation, class... Rest> auto apply(const Tensor &x, const Tensor &norm, const Parts &p, Rest... rest) {
  auto &t = p.t;
  return Operation::apply(x, norm, t[0], maybe(t[1]), maybe(t[2]), maybe(t[3]), t[4], maybe(t[5]), maybe(t[6]), maybe(t[7]), t[8],
                          maybe(t[9]), maybe(t[10]), maybe(t[11]), p.back, rest...);
}

// learns reports whether a gradient will be asked for.
bool learns(const Tensor &x, const Tensor &onto, const variable_list &t) {
  auto wants = [](const Tensor &t) { return t.defined() && t.requires_grad(); };
  return c10::GradMode::is_enabled() && (wants(x) || wants(onto) || std::any_of(t.begin(), t.end(), wants));
}

} // namespace

char *revela_norm_project(void *x, void *norm, void **parts, const double *scales, double eps, int64_t from, void **out) {
  return guard([&] {
    Tensor &X = T(x), &N = T(norm);
    Parts p("norm_project", X, parts, 3);
    std::vector<double> s(scales, scales + 3);
    variable_list y;
    if (X.is_cpu()) {
      y = apply<NormProject>(X, N, p, s, eps, from);
    } else {
      Tensor n = device_rms_norm(X, N, eps);
      auto list = projections(p.t, 0, p.back, s);
      for (int i = 0; i < 3; i++) y.push_back(list[i].plain(i ? n : n.narrow(0, from, X.size(0) - from)));
    }
    for (int i = 0; i < 3; i++) out[i] = release(y[i]);
  });
}

char *revela_gated_mlp(void *x, void *norm, void **parts, const double *scales, double eps, void **out) {
  return guard([&] {
    Tensor &X = T(x), &N = T(norm);
    Parts p("gated_mlp", X, parts, 3);
    std::vector<double> s(scales, scales + 3);
    if (X.is_cpu()) {
      *out = release(apply<GatedMLP>(X, N, p, s, eps));
      return;
    }
    Tensor n = device_rms_norm(X, N, eps);
    auto list = projections(p.t, 0, p.back, s);
    *out = release(X + list[2].plain(device_swiglu(list[0].plain(n), list[1].plain(n))));
  });
}

char *revela_project(void *onto, void *x, void **parts, double scale, int activation, void **out) {
  return guard([&] {
    Tensor O = onto ? T(onto) : Tensor(), &X = T(x);
    Parts parts_("linear", X, parts, 1);
    auto &t = parts_.t;
    Projection p{t[0], t[1], t[2], t[3], parts_.back[0], scale};
    auto f = (Activation)activation;
    if (!X.is_cpu()) *out = release(activate(O.defined() ? O + p.plain(X) : p.plain(X), f));
    else if (O.defined() || p.a.defined() || learns(X, O, t))
      *out = release(Project::apply(maybe(O), X, p.w, maybe(p.bias), maybe(p.a), maybe(p.b), parts_.back, scale, activation));
    else *out = release(product(X, p.w, p.bias, f));
  });
}
