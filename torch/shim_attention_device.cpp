// The attention of shim_attention.cpp on devices without that file's kernels: flash attention where the device has it
// (shim_attention_flash.cpp), else batched products over sequences padded to the longest of a slice of pairs, scores and all. Slices
// are computed again in backward, so that memory grows with tokens and not with pairs × length².
#include "shim_attention_plan.hpp"
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using namespace revela;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Inputs are a slice's rows of q, k and v and its pairs' weights, undefined where these are 1 each.
struct Inputs { Tensor q, k, v, w; };

Tensor rows_of(const Tensor &x, const Places &p) { return spread(x, p, x.size(2), /*norm=*/false); }

Inputs gather(const Plan &plan, const Slice &s, const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w) {
  return {rows_of(q, s.queries), rows_of(k, s.keys), rows_of(v, s.keys),
          plan.weighted ? w.narrow(0, plan.weights_at + s.first, s.pairs) : Tensor()};
}

Tensor value_norms(const Tensor &v, at::ScalarType sums) { return at::norm(v.to(sums), 2, {-1}, /*keepdim=*/true); }

// padded is the results of a slice's query rows [rows, H, D], from scores in memory. Heads that share keys are rows of one product.
Tensor padded(const Plan &plan, const Slice &s, const Inputs &in) {
  int64_t group = plan.heads / plan.kv_heads, rows = group * s.nq;
  Tensor q = in.q.reshape({s.pairs, s.nq, plan.kv_heads, group, plan.dim})
                 .permute({0, 2, 3, 1, 4})
                 .reshape({s.pairs, plan.kv_heads, rows, plan.dim});
  auto keys = [&](const Tensor &x) { return x.view({s.pairs, s.nk, plan.kv_heads, x.size(2)}).transpose(1, 2); };
  Tensor scores = at::matmul(q, keys(in.k).transpose(2, 3)) * plan.scale;
  if (s.masked.defined()) // not −∞: a row of padding may read nothing, and its gradient of 0 must stay 0
    scores = at::masked_fill(scores.view({s.pairs, plan.kv_heads, group, s.nq, s.nk}), s.masked, -1e30)
                 .view({s.pairs, plan.kv_heads, rows, s.nk});
  Tensor a = at::softmax(scores, -1, plan.sums).to(plan.type);
  Tensor y = at::matmul(a, keys(in.v)).to(plan.sums);
  if (plan.value_norm) y = y / (at::matmul(a.to(plan.sums), keys(value_norms(in.v, plan.sums))) + kValueNormEpsilon);
  if (in.w.defined()) y = y * in.w.view({s.pairs, 1, 1, 1});
  y = y.view({s.pairs, plan.kv_heads, group, s.nq, plan.dim})
          .permute({0, 3, 1, 2, 4})
          .reshape({s.pairs * s.nq, plan.heads, plan.dim});
  return s.filled.defined() ? at::index_select(y, 0, s.filled) : y;
}

// Sliced keeps q, k, v and w for backward, nothing of the slices.
struct Sliced : torch::autograd::Function<Sliced> {
  static Tensor forward(AutogradContext *ctx, Tensor q, Tensor k, Tensor v, Tensor w, c10::intrusive_ptr<Plan> plan) {
    Sums out;
    for (auto &s : plan->slices)
      collect(out, padded(*plan, s, gather(*plan, s, q, k, v, w)), {}, s.results, q.size(0), q.size(2), &s == &plan->slices.back());
    ctx->save_for_backward({q, k, v, w});
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    return out.narrow.to(q.scalar_type());
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto plan = c10::static_intrusive_pointer_cast<Plan>(ctx->saved_data["plan"].toCapsule());
    Tensor q = saved[0], k = saved[1], v = saved[2], w = saved[3], dout = grads[0].to(plan->sums);
    Sums dq, dk, dv;
    Tensor dw = at::zeros(w.sizes(), w.options().dtype(plan->sums));
    for (auto &s : plan->slices) {
      variable_list leaves, d;
      {
        at::AutoGradMode with_grad(true);
        Inputs in = gather(*plan, s, q, k, v, w);
        for (Tensor *x : {&in.q, &in.k, &in.v, &in.w}) {
          if (!x->defined()) continue;
          *x = x->detach().requires_grad_();
          leaves.push_back(*x);
        }
        Tensor y = padded(*plan, s, in);
        d = torch::autograd::grad({y}, leaves, {rows_of(dout, s.results).to(y.scalar_type())});
      }
      auto add = [&](Sums &sum, const Tensor &part, const Places &p, const Tensor &x) {
        collect(sum, part.contiguous(), {}, p, x.size(0), x.size(2), &s == &plan->slices.back());
      };
      add(dq, d[0], s.queries, q), add(dk, d[1], s.keys, k), add(dv, d[2], s.keys, v);
      if (plan->weighted) dw.narrow(0, plan->weights_at + s.first, s.pairs).add_(d[3]);
    }
    return {dq.narrow, dk.narrow, dv.narrow, dw.to(w.scalar_type()), Tensor()};
  }
};

} // namespace

void revela::forget_plans() {
  std::lock_guard<std::mutex> lock(plans().mutex);
  plans().kept.clear();
}

Tensor revela::device_attention(const Tensor &q, const Tensor &k, const Tensor &v, const variable_list &weights, const Tensor &table,
                                const std::vector<Term> &terms, double scale) {
  static_assert(sizeof(Pair) == 5 * sizeof(int64_t));
  auto *pairs = reinterpret_cast<const Pair *>(table.const_data_ptr<int64_t>());
  PlanList flash, other;
  variable_list w;
  for (int64_t first = 0, end, weights_at = 0, count = table.size(0); first < count; first = end) {
    const Term &term = terms[pairs[first].term];
    for (end = first + 1; end < count && pairs[end].term == pairs[first].term;) end++;
    auto plan = plan_of(q, k, pairs + first, end - first, term, scale, weights_at);
    (plan->flash ? flash : other).push_back(plan);
    if (term.weighted) w.push_back(weights[pairs[first].term]), weights_at += end - first;
  }
  Tensor all = w.empty() ? Tensor() : w.size() == 1 ? w[0] : at::cat(w), sum;
  if (!flash.empty()) sum = flash_attention(q, k, v, all.defined() ? std::optional<Tensor>(all) : std::nullopt, flash);
  if (!all.defined()) all = at::empty({0}, q.options().dtype(sum_type(q)));
  for (auto &p : other) {
    Tensor y = Sliced::apply(q.contiguous(), k.contiguous(), v.contiguous(), all, p);
    sum = sum.defined() ? sum + y : y;
  }
  return sum;
}
