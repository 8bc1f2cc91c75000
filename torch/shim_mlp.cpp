// The gated feed-forward half of a decoder layer, norm and residual included, as one operation. Backward computes the norm's
// result and the gate's product again, which saves a third of a layer's activations; with activation checkpointing it computes
// all of it again, a block of rows at a time, so that no tensor of the inner width is as long as the batch.
#include "shim.h"
#include "shim_fused.hpp"
#include "shim_projection.hpp"

using namespace revela;

namespace {

// Inner is what forward makes of rows between the norm and the last projection; low are LoRA's halves of the three.
struct Inner { Tensor gate, up, low[3]; };

// Gradients of the operation's inputs.
struct Gradients {
  Tensor x, norm;
  Projection::Gradients parts[3];
};

// MLP is down(silu(gate(n)) · up(n)) with n = norm(x).
struct MLP {
  std::vector<Projection> list; // gate, up, down
  Tensor norm;
  double eps;

  // from is the same for rows that lie behind so many others.
  MLP from(int64_t rows) const {
    MLP m = *this;
    for (auto &p : m.list) p.drop = p.drop.from(rows);
    return m;
  }

  Inner inner(const Tensor &n) const {
    Inner r;
    r.gate = list[0].forward(n, {}, r.low[0]), r.up = list[1].forward(n, {}, r.low[1]);
    return r;
  }
};

// Wanted are the gradients that are.
struct Wanted {
  bool norm, w[3], low[3];

  bool weights() const { return w[0] || w[1] || w[2]; }
};

// backward is the gradients of some rows x, given that of the result and what forward made of them, n = norm(x) among it.
Gradients backward(const MLP &m, const Wanted &want, const Tensor &x, const Tensor &dy, const Normed &n, Inner r) {
  Gradients g;
  auto back = [&](int i, const Tensor &dy, const Tensor &in, Tensor &din) {
    g.parts[i] = m.list[i].backward(dy, in, r.low[i], din, want.w[i], want.low[i]);
  };
  Tensor act = swiglu_forward(r.gate, r.up), dact, dn;
  if (!r.low[2].defined()) r.low[2] = m.list[2].lowered(act);
  back(2, dy, act, dact);
  act.reset();
  GateGradients d = swiglu_backward(dact, r.gate, r.up);
  dact.reset();
  back(0, d.gate, n.y, dn), back(1, d.up, n.y, dn);
  NormGradients last = rms_backward(dn, x, m.norm, n.inverse, want.norm, /*onto=*/dy);
  g.x = last.x, g.norm = last.w;
  return g;
}

// sum adds a block's gradient to those before, in fp32 at least.
void sum(Tensor &to, const Tensor &g) {
  if (!to.defined()) to = g;
  else to = (to.scalar_type() == g.scalar_type() ? to.to(sum_type(g)) : to).add_(g);
}

// backward_by_blocks computes blocks of so many rows again and sums their gradients.
Gradients backward_by_blocks(const MLP &m, const Wanted &want, const Tensor &x, const Tensor &dy, int64_t rows) {
  Gradients all;
  all.x = at::empty_like(x);
  for (int64_t at = 0; at < x.size(0); at += rows) {
    int64_t n = std::min(rows, x.size(0) - at);
    Tensor part = x.narrow(0, at, n);
    Normed normed = rms_forward(part, m.norm, m.eps);
    MLP here = m.from(at);
    Gradients g = backward(here, want, part, dy.narrow(0, at, n), normed, here.inner(normed.y));
    all.x.narrow(0, at, n).copy_(g.x);
    sum(all.norm, g.norm);
    for (int i = 0; i < 3; i++) {
      auto &to = all.parts[i], &from = g.parts[i];
      sum(to.w, from.w), sum(to.bias, from.bias), sum(to.a, from.a), sum(to.b, from.b);
    }
  }
  return all;
}

// GatedMLP: x + down(silu(gate(n)) · up(n)) with n = norm(x). With again > 0 the result is not computed, only its gradient
// will be asked for, of so many rows at a time.
struct GatedMLP : torch::autograd::Function<GatedMLP> {
  static Tensor forward(AutogradContext *ctx, Tensor x, Tensor norm, Tensor w0, Maybe c0, Maybe a0, Maybe b0, Tensor w1,
                        Maybe c1, Maybe a1, Maybe b1, Tensor w2, Maybe c2, Maybe a2, Maybe b2, variable_list beside,
                        std::vector<double> numbers, double eps, int64_t again) {
    x = x.contiguous(), norm = norm.contiguous();
    variable_list keep = to_save(x, norm, {w0, c0, a0, b0, w1, c1, a1, b1, w2, c2, a2, b2}, beside);
    Settings settings(beside, numbers);
    Tensor y;
    if (again > 0) {
      y = at::zeros({}, x.options()).expand(x.sizes());
    } else {
      MLP m{projections(keep, 2, settings), norm, eps};
      Inner r = m.inner(rms_forward(x, norm, eps).y);
      y = m.list[2].forward(swiglu_forward(r.gate, r.up), x, r.low[2]);
      keep.insert(keep.end(), {r.gate, r.up, r.low[0], r.low[1], r.low[2]});
    }
    ctx->save_for_backward(keep);
    settings.save(ctx);
    ctx->saved_data["eps"] = eps, ctx->saved_data["again"] = again;
    return y;
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    MLP m{projections(saved, 2, Settings(ctx)), saved[1], ctx->saved_data["eps"].toDouble()};
    Wanted want{wants(ctx, saved, 1)};
    for (int i = 0; i < 3; i++) want.w[i] = wants(ctx, saved, 2 + kParts * i), want.low[i] = wants(ctx, saved, 4 + kParts * i);
    Tensor x = saved[0], dy = grads[0].contiguous();
    int64_t again = ctx->saved_data["again"].toInt();
    Gradients g = again > 0 ? backward_by_blocks(m, want, x, dy, want.weights() ? std::max<int64_t>(1, x.size(0)) : again)
                            : ::backward(m, want, x, dy, rms_forward(x, m.norm, m.eps),
                                         {saved[14], saved[15], {saved[16], saved[17], saved[18]}});
    variable_list out{g.x, g.norm};
    for (auto &p : g.parts) append(out, p);
    out.resize(18);
    return out;
  }
};

} // namespace

char *revela_gated_mlp(void *x, void *norm, void **parts, const double *numbers, double eps, int64_t again, void **out) {
  return guard([&] {
    Tensor &X = T(x), &N = T(norm);
    Parts p("gated_mlp", X, parts, 3);
    std::vector<double> settings(numbers, numbers + 3 * kNumbers);
    *out = release(apply<GatedMLP>(X, N, p, settings, eps, again));
  });
}
