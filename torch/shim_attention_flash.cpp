// Attention on a device by libtorch's flash attention over sequences of unequal length: no padding, no scores in memory. The norm of
// each value rides along as one more column of the values, so that the kernel's output holds A V and A ‖V‖.
//
// A term whose places are its rows as they lie, self-attention, is the kernel and nothing else. Other terms spread their rows, a slice
// of pairs at a time, and what the places yield is summed; their places are made again in backward.
#include "shim_attention_plan.hpp"
#include "shim_rows.hpp"
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using namespace revela;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Flashed is what the kernel makes of queries, keys and values, and of which it makes it.
struct Flashed { Tensor q, k, v, out, lse, seed, offset; };

struct Window { std::optional<int64_t> left, right; };

Window window_of(const Plan &plan, const Slice &s) {
  if (plan.window <= 0) return {};
  return {plan.window - 1, plan.causal ? 0 : s.nk};
}

Flashed flash(const Plan &plan, const Slice &s, const Tensor &q, const Tensor &k, const Tensor &v) {
  Window w = window_of(plan, s);
  auto r = at::_flash_attention_forward(q, k, v, s.starts_q, s.starts_k, s.nq, s.nk, /*dropout_p=*/0.0, plan.causal,
                                        /*return_debug_mask=*/false, plan.scale, w.left, w.right);
  return {q, k, v, std::get<0>(r), std::get<1>(r), std::get<2>(r), std::get<3>(r)};
}

struct Three { Tensor q, k, v; };

Three flash_backward(const Plan &plan, const Slice &s, const Flashed &f, const Tensor &dout) {
  Window w = window_of(plan, s);
  auto [dq, dk, dv] = at::_flash_attention_backward(dout, f.q, f.k, f.v, f.out, f.lse, s.starts_q, s.starts_k, s.nq, s.nk,
                                                    /*dropout_p=*/0.0, plan.causal, f.seed, f.offset, plan.scale, w.left, w.right);
  return {dq, dk, dv};
}

Flashed flash_places(const Plan &plan, const Slice &s, const Tensor &q, const Tensor &k, const Tensor &v) {
  int64_t width = flash_width(plan.dim, plan.value_norm);
  return flash(plan, s, spread(q, s.queries, width, false), spread(k, s.keys, width, false), spread(v, s.keys, width, plan.value_norm));
}

// weighing takes a slice's share of the weights of all pairs.
Weighing weighing(const Plan &plan, const Slice &s, const Tensor &w) {
  return {plan.weighted ? w.narrow(0, plan.weights_at + s.first, s.pairs) : Tensor(), s.pair_of, s.starts_q, plan.value_norm};
}

// is_plain reports whether a term's places are its rows as they lie, and their results what it adds.
bool is_plain(const Plan &plan) {
  const Slice &s = plan.slices[0];
  return plan.slices.size() == 1 && !s.queries.rows.defined() && !s.keys.rows.defined() && !plan.weighted && !plan.value_norm &&
         flash_width(plan.dim, false) == plan.dim;
}

// slices_left counts the slices that are to be summed.
int64_t slices_left(const PlanList &plans) {
  int64_t n = 0;
  for (auto &p : plans) n += is_plain(*p) ? 0 : (int64_t)p->slices.size();
  return n;
}

struct FlashAttention : torch::autograd::Function<FlashAttention> {
  static Tensor forward(AutogradContext *ctx, Tensor q, Tensor k, Tensor v, std::optional<Tensor> weights, const PlanList &plans) {
    RECORD_FUNCTION("revela::attention", std::vector<c10::IValue>());
    q = q.contiguous(), k = k.contiguous(), v = v.contiguous();
    Tensor w = weights ? weights->to(sum_type(q)).contiguous() : Tensor();
    Flashed plain;
    Sums sum;
    int64_t left = slices_left(plans);
    for (auto &p : plans) // first, as what the others are added to
      if (is_plain(*p)) {
        TORCH_CHECK(!plain.out.defined(), "attention: two terms of all rows as they lie");
        plain = flash(*p, p->slices[0], q, k, v);
        sum.base = plain.out;
      }
    if (left == 0) sum.narrow = plain.out;
    for (auto &p : plans) {
      if (is_plain(*p)) continue;
      for (auto &s : p->slices)
        combine(sum, flash_places(*p, s, q, k, v).out, weighing(*p, s, w), s.queries, q.size(0), q.size(2), --left == 0);
    }
    ctx->save_for_backward({q, k, v, w, plain.out, plain.lse, plain.seed, plain.offset});
    for (auto &p : plans) ctx->saved_data["plan" + std::to_string(&p - &plans[0])] = c10::IValue::make_capsule(p);
    ctx->saved_data["weight_type"] = weights ? (int64_t)weights->scalar_type() : (int64_t)q.scalar_type();
    return sum.narrow;
  }

  static PlanList plans_of(AutogradContext *ctx) {
    PlanList plans;
    for (auto at = ctx->saved_data.begin(); (at = ctx->saved_data.find("plan" + std::to_string(plans.size()))) != ctx->saved_data.end();)
      plans.push_back(c10::static_intrusive_pointer_cast<Plan>(at->second.toCapsule()));
    return plans;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    Tensor q = saved[0], k = saved[1], v = saved[2], w = saved[3], dout = grads[0].to(q.scalar_type()).contiguous();
    PlanList plans = plans_of(ctx);
    int64_t left = slices_left(plans);
    Sums dq, dk, dv;
    Tensor dw = w.defined() ? at::zeros_like(w) : Tensor();
    for (auto &p : plans)
      if (is_plain(*p)) {
        Three d = flash_backward(*p, p->slices[0], {q, k, v, saved[4], saved[5], saved[6], saved[7]}, dout);
        dq.base = d.q, dk.base = d.k, dv.base = d.v;
      }
    if (left == 0) return {dq.base, dk.base, dv.base, dw, Tensor()};
    for (auto &p : plans) {
      if (is_plain(*p)) continue;
      for (auto &s : p->slices) {
        Flashed f = flash_places(*p, s, q, k, v);
        Weighing how = weighing(*p, s, w);
        CombineGradients g = combine_backward(dout, f.out, how, s.queries);
        if (how.w.defined()) dw.narrow(0, p->weights_at + s.first, s.pairs).copy_(g.w);
        Three d = flash_backward(*p, s, f, g.y);
        bool last = --left == 0;
        collect(dq, d.q, {}, s.queries, q.size(0), q.size(2), last);
        collect(dk, d.k, {}, s.keys, k.size(0), k.size(2), last);
        collect(dv, d.v, p->value_norm ? v : Tensor(), s.keys, v.size(0), v.size(2), last);
      }
    }
    if (dw.defined()) dw = dw.to((at::ScalarType)ctx->saved_data["weight_type"].toInt());
    return {dq.narrow, dk.narrow, dv.narrow, dw, Tensor()};
  }
};

} // namespace

Tensor revela::flash_attention(const Tensor &q, const Tensor &k, const Tensor &v, const std::optional<Tensor> &w, const PlanList &plans) {
  return FlashAttention::apply(q, k, v, w, plans);
}
