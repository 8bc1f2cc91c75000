// The linear layers around a decoder layer's attention as one operation each: norm and projections, projection and residual.
// Backward computes the norm's result again, which costs a pass over memory; gradients of a shared input are summed by the
// products. The layer's other half is in shim_mlp.cpp.
#include "shim.h"
#include "shim_fused.hpp"
#include "shim_projection.hpp"
#include <c10/core/GradMode.h>

using namespace revela;

namespace {

// rows_from is x without its first rows.
Tensor rows_from(const Tensor &x, int64_t from) { return from == 0 ? x : x.narrow(0, from, x.size(0) - from); }

// NormProject: three projections of the normed rows of x, cut into heads of `dim` columns unless that is 0; the first of the rows from `from` on alone.
struct NormProject : torch::autograd::Function<NormProject> {
  static variable_list forward(AutogradContext *ctx, Tensor x, Tensor norm, Tensor w0, Maybe c0, Maybe a0, Maybe b0, Tensor w1,
                               Maybe c1, Maybe a1, Maybe b1, Tensor w2, Maybe c2, Maybe a2, Maybe b2, variable_list beside,
                               std::vector<double> numbers, double eps, int64_t from, int64_t dim) {
    x = x.contiguous(), norm = norm.contiguous();
    variable_list keep = to_save(x, norm, {w0, c0, a0, b0, w1, c1, a1, b1, w2, c2, a2, b2}, beside);
    Settings settings(beside, numbers);
    auto list = projections(keep, 2, settings);
    Normed n = rms_forward(x, norm, eps);
    keep.push_back(n.inverse);
    variable_list out;
    for (int i = 0; i < 3; i++) {
      Tensor low;
      Tensor y = list[i].forward(i ? n.y : rows_from(n.y, from), Tensor(), low);
      out.push_back(dim > 0 ? y.view({y.size(0), y.size(1) / dim, dim}) : y);
      keep.push_back(low);
    }
    ctx->save_for_backward(keep);
    settings.save(ctx);
    ctx->saved_data["eps"] = eps, ctx->saved_data["from"] = from;
    return out;
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto list = projections(saved, 2, Settings(ctx));
    int64_t from = ctx->saved_data["from"].toInt();
    Tensor n = rms_forward(saved[0], saved[1], ctx->saved_data["eps"].toDouble()).y, dn;
    std::vector<Projection::Gradients> g(3);
    for (int i : {1, 2, 0}) { // the first last: it adds to a part of the rows
      if (!grads[i].defined()) continue;
      if (!dn.defined() && i == 0) dn = at::zeros_like(n);
      Tensor part = i || !dn.defined() ? dn : rows_from(dn, from), dx = part, x = i ? n : rows_from(n, from);
      size_t at = 2 + kParts * i;
      g[i] = list[i].backward(grads[i].contiguous().flatten(1), x, saved[15 + i], dx, wants(ctx, saved, at), wants(ctx, saved, at + 2));
      if (from == 0 || i) dn = dx;
      else part.copy_(dx);
    }
    NormGradients back = rms_backward(dn, saved[0], saved[1], saved[14], wants(ctx, saved, 1));
    variable_list out{back.x, back.w};
    for (auto &p : g) append(out, p);
    out.resize(19);
    return out;
  }
};

// Project: activation(onto + projection(x)); onto may be undefined. x is rows, or heads of rows. Without a gradient the activation is part of the product.
struct Project : torch::autograd::Function<Project> {
  static Tensor forward(AutogradContext *ctx, Maybe onto, Tensor x, Tensor w, Maybe bias, Maybe a, Maybe b, variable_list beside,
                        std::vector<double> numbers, int activation) {
    auto f = (Activation)activation;
    Settings settings(beside, numbers);
    ctx->saved_data["shape"] = x.sizes().vec();
    x = x.flatten(1);
    Projection p = projections({w, value(bias), computed(a, beside[1], x), computed(b, beside[2], x)}, 0, settings)[0];
    Tensor low, y = p.forward(x, value(onto), low);
    ctx->save_for_backward({x, w, p.bias, p.a, p.b, low, f == Activation::none ? Tensor() : y});
    settings.save(ctx);
    ctx->saved_data["onto"] = onto && onto->defined(), ctx->saved_data["activation"] = activation;
    return activate(y, f);
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    Projection p = projections(saved, 1, Settings(ctx))[0];
    Tensor dy = activate_backward(grads[0].contiguous(), saved[6], (Activation)ctx->saved_data["activation"].toInt()), dx;
    bool onto = ctx->saved_data["onto"].toBool();
    auto g = p.backward(dy, saved[0], saved[5], dx, wants(ctx, saved, 1, onto), wants(ctx, saved, 3, onto));
    variable_list out{onto ? dy : Tensor(), dx.view(ctx->saved_data["shape"].toIntVector()), g.w, g.bias, g.a, g.b};
    out.resize(9);
    return out;
  }
};

// learns reports whether a gradient will be asked for.
bool learns(const Tensor &x, const Tensor &onto, const variable_list &t) {
  auto wants = [](const Tensor &t) { return t.defined() && t.requires_grad(); };
  return c10::GradMode::is_enabled() && (wants(x) || wants(onto) || std::any_of(t.begin(), t.end(), wants));
}

} // namespace

char *revela_norm_project(void *x, void *norm, void **parts, const double *numbers, double eps, int64_t from, int64_t dim, void **out) {
  return guard([&] {
    Tensor &X = T(x), &N = T(norm);
    Parts p("norm_project", X, parts, 3);
    std::vector<double> settings(numbers, numbers + 3 * kNumbers);
    variable_list y = apply<NormProject>(X, N, p, settings, eps, from, dim);
    for (int i = 0; i < 3; i++) out[i] = release(y[i]);
  });
}

char *revela_project(void *onto, void *x, void **parts, const double *numbers, int activation, void **out) {
  return guard([&] {
    Tensor O = onto ? T(onto) : Tensor(), &X = T(x);
    Parts parts_("linear", X, parts, 1);
    auto &t = parts_.t;
    std::vector<double> settings(numbers, numbers + kNumbers);
    auto f = (Activation)activation;
    if (O.defined() || t[2].defined() || learns(X, O, t)) {
      *out = release(Project::apply(maybe(O), X, t[0], maybe(t[1]), maybe(t[2]), maybe(t[3]), parts_.beside, settings, activation));
    } else {
      *out = release(product(X.flatten(1), t[0], t[1], f));
    }
  });
}
