// The attention of shim_attention.cpp from libtorch's own operations, for devices without that file's kernels. Pairs are
// worked on in slices of bounded memory, a slice either by
//
//   - flash attention over sequences of unequal length, where the device has it: no padding, no scores in memory. The norm
//     of each value rides along as one more column of the values, so that the kernel's output holds A V and A ‖V‖;
//   - or batched products over sequences padded to the slice's longest, scores and all.
//
// Slices are computed again in backward, so that memory grows with tokens and not with pairs × length².
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

Tensor rows_of(const Tensor &x, const Tensor &rows) { return rows.defined() ? at::index_select(x, 0, rows) : x; }

Inputs gather(const Plan &plan, const Slice &s, const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w) {
  return {rows_of(q, s.q_rows), rows_of(k, s.k_rows), rows_of(v, s.k_rows),
          plan.weighted ? w.narrow(0, s.first, s.pairs) : Tensor()};
}

Tensor value_norms(const Tensor &v, at::ScalarType sums) { return at::norm(v.to(sums), 2, {-1}, /*keepdim=*/true); }

// widened appends columns up to a width: extra, which may be undefined, then zeros.
Tensor widened(const Tensor &x, const Tensor &extra, int64_t width) {
  std::vector<Tensor> parts{x};
  if (extra.defined()) parts.push_back(extra.to(x.scalar_type()));
  int64_t rest = width - x.size(2) - (extra.defined() ? extra.size(2) : 0);
  if (rest > 0) parts.push_back(at::zeros({x.size(0), x.size(1), rest}, x.options()));
  return parts.size() > 1 ? at::cat(parts, 2) : x;
}

// flash returns the results of a slice's query rows [rows, H, D].
Tensor flash(const Plan &plan, const Slice &s, const Inputs &in) {
  int64_t width = flash_width(plan.dim, plan.value_norm);
  Tensor norms = plan.value_norm ? value_norms(in.v, plan.sums) : Tensor();
  auto left = plan.window > 0 ? std::optional<int64_t>(plan.window - 1) : std::nullopt;
  auto right = plan.window > 0 ? std::optional<int64_t>(plan.causal ? 0 : s.nk) : std::nullopt;
  Tensor both = std::get<0>(at::_flash_attention_forward(
      widened(in.q, {}, width).contiguous(), widened(in.k, {}, width).contiguous(), widened(in.v, norms, width).contiguous(),
      s.starts_q, s.starts_k, s.nq, s.nk, /*dropout_p=*/0.0, plan.causal, /*return_debug_mask=*/false, plan.scale, left,
      right));
  Tensor y = both.narrow(2, 0, plan.dim);
  if (!plan.value_norm && !in.w.defined()) return y;
  y = y.to(plan.sums);
  if (plan.value_norm) y = y / (both.narrow(2, plan.dim, 1).to(plan.sums) + kValueNormEpsilon);
  return in.w.defined() ? y * at::index_select(in.w, 0, s.pair_of).view({-1, 1, 1}) : y;
}

// padded is the same from scores in memory. Heads that share keys are rows of one product.
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
  return rows_of(y, s.filled);
}

Tensor attend(const Plan &plan, const Slice &s, const Inputs &in) {
  return plan.flash ? flash(plan, s, in) : padded(plan, s, in);
}

void add_rows(Tensor &sum, const Tensor &rows, const Tensor &x) {
  if (!rows.defined())
    sum.add_(x);
  else
    sum.index_add_(0, rows, x.to(sum.scalar_type()));
}

// Sliced keeps q, k, v and w for backward, nothing of the slices.
struct Sliced : torch::autograd::Function<Sliced> {
  static Tensor forward(AutogradContext *ctx, Tensor q, Tensor k, Tensor v, Tensor w, c10::intrusive_ptr<Plan> plan) {
    Tensor out = at::zeros(q.sizes(), q.options().dtype(plan->sums));
    for (auto &s : plan->slices) add_rows(out, s.out_rows, attend(*plan, s, gather(*plan, s, q, k, v, w)));
    ctx->save_for_backward({q, k, v, w});
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    return out.to(q.scalar_type());
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto plan = c10::static_intrusive_pointer_cast<Plan>(ctx->saved_data["plan"].toCapsule());
    Tensor q = saved[0], k = saved[1], v = saved[2], w = saved[3], dout = grads[0].to(plan->sums);
    auto sum_for = [&](const Tensor &x) { return at::zeros(x.sizes(), x.options().dtype(plan->sums)); };
    Tensor dq = sum_for(q), dk = sum_for(k), dv = sum_for(v), dw = sum_for(w);
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
        Tensor y = attend(*plan, s, in);
        d = torch::autograd::grad({y}, leaves, {rows_of(dout, s.out_rows).to(y.scalar_type())});
      }
      add_rows(dq, s.q_rows, d[0]), add_rows(dk, s.k_rows, d[1]), add_rows(dv, s.k_rows, d[2]);
      if (plan->weighted) dw.narrow(0, s.first, s.pairs).add_(d[3]);
    }
    auto narrow = [&](const Tensor &sum) { return sum.to(plan->type); };
    return {narrow(dq), narrow(dk), narrow(dv), dw.to(w.scalar_type()), Tensor()};
  }
};

// of_term is the sum of one term over its pairs, whose weights are w.
Tensor of_term(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, const Pair *pairs, int64_t count,
               const Term &term, double scale) {
  auto plan = plan_of(q, k, pairs, count, term, scale);
  const Slice &first = plan->slices[0];
  if (plan->flash && plan->slices.size() == 1 && !first.out_rows.defined() && !plan->weighted) // self-attention: nothing to sum
    return attend(*plan, first, gather(*plan, first, q, k, v, w)).to(plan->type);
  return Sliced::apply(q.contiguous(), k.contiguous(), v.contiguous(), w, plan);
}

} // namespace

void revela::forget_plans() {
  std::lock_guard<std::mutex> lock(plans().mutex);
  plans().kept.clear();
}

Tensor revela::device_attention(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, const Tensor &table,
                                const std::vector<Term> &terms, double scale) {
  static_assert(sizeof(Pair) == 5 * sizeof(int64_t));
  auto *pairs = reinterpret_cast<const Pair *>(table.const_data_ptr<int64_t>());
  Tensor sum;
  for (int64_t first = 0, count = table.size(0); first < count;) {
    int64_t end = first + 1;
    while (end < count && pairs[end].term == pairs[first].term) end++;
    Tensor y = of_term(q, k, v, w.narrow(0, first, end - first), pairs + first, end - first, terms[pairs[first].term], scale);
    sum = sum.defined() ? sum + y : y;
    first = end;
  }
  return sum;
}
