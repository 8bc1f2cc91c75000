// Attention over packed sequences: self-attention and the paper's in-batch attention in one operation.
//
// Sequences of unequal length lie one after another in q [Tq, H, D] and k, v [Tk, Hkv, D]; no padding. A pair
// p = (i, j) lets the rows of query sequence i read key sequence j. With A = softmax(scale · Q_i K_jᵀ + mask),
//
//   out_i = Σ_p w_p · A V_j                       without value_norm
//   out_i = Σ_p w_p · A V_j / (A ‖V_j‖ + 1e-6)    with it (arXiv 2506.16552, "V-normalisation")
//
// Scores live a block of rows at a time and are computed again in backward, so memory grows with tokens and
// never with pairs × length². Heads of grouped queries share keys without a copy. Sums are fp32 (fp64 for fp64).
#include "shim_attention_kernel.hpp"
#include "shim.h"
#include "shim_device.hpp"
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using namespace revela;

namespace {

template <class S>
void forward_cpu(const Layout &l, const Options &o, const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w,
                 Tensor &out, Tensor &lse) {
  using C = typename compute<S>::type;
  Kernel<S> f{l, o, q.const_data_ptr<S>(), k.const_data_ptr<S>(), v.const_data_ptr<S>(),
              w.const_data_ptr<C>()};
  S *to = out.mutable_data_ptr<S>();
  C *table = lse.mutable_data_ptr<C>();
  at::parallel_for(0, (int64_t)l.by_query.size() * l.heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<C> buffer;
    for (int64_t t = begin; t < end; t++) f.forward(l.by_query[t / l.heads], t % l.heads, to, table, buffer);
  });
}

struct Gradients { Tensor q, k, v, w; };

template <class S>
Gradients backward_cpu(const Layout &l, const Options &o, const Tensor &q, const Tensor &k, const Tensor &v,
                       const Tensor &w, const Tensor &lse, const Tensor &dout, bool want_kv, bool want_w) {
  using C = typename compute<S>::type;
  auto c_type = lse.scalar_type();
  Kernel<S> f{l, o, q.const_data_ptr<S>(), k.const_data_ptr<S>(), v.const_data_ptr<S>(),
              w.const_data_ptr<C>()};
  bool shared = l.by_query.size() < l.pairs.size(); // a query read by several keys: one sum a thread
  int64_t sums = shared ? at::get_num_threads() : 1, tasks = (int64_t)l.by_key.size() * l.kv_heads;
  Tensor dq = at::zeros({sums, l.tq, l.heads, l.dim}, q.options().dtype(c_type));
  Tensor dw = at::zeros({at::get_num_threads(), (int64_t)l.pairs.size()}, lse.options());
  Tensor dk = want_kv ? at::zeros_like(k) : Tensor(), dv = want_kv ? at::zeros_like(v) : Tensor();
  C *dq_at = dq.mutable_data_ptr<C>(), *dw_at = dw.mutable_data_ptr<C>();
  S *dk_at = want_kv ? dk.mutable_data_ptr<S>() : nullptr, *dv_at = want_kv ? dv.mutable_data_ptr<S>() : nullptr;
  at::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
    int64_t thread = at::get_thread_num();
    BackwardTask<S> task{f, dout.const_data_ptr<S>(), lse.const_data_ptr<C>(),
                         dq_at + (shared ? thread * l.tq * l.heads * l.dim : 0),
                         want_w ? dw_at + thread * (int64_t)l.pairs.size() : nullptr, want_kv, {}};
    for (int64_t t = begin; t < end; t++) task.run(l.by_key[t / l.kv_heads], t % l.kv_heads, dk_at, dv_at);
  });
  Tensor dq_sum = (shared ? dq.sum(0) : dq.squeeze(0)).to(q.scalar_type());
  return {dq_sum, dk, dv, want_w ? dw.sum(0) : Tensor()};
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct PackedAttention : torch::autograd::Function<PackedAttention> {
  static Tensor forward(AutogradContext *ctx, Tensor q, Tensor k, Tensor v, Tensor w, Tensor table, bool causal,
                        int64_t window, bool value_norm, double scale) {
    Layout l(q, k, table);
    Options o{causal, value_norm, window, scale};
    q = q.contiguous(), k = k.contiguous(), v = v.contiguous();
    auto c_type = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    w = w.to(c_type).contiguous();
    Tensor out = at::zeros_like(q), lse = at::empty({l.lse_rows, l.heads}, q.options().dtype(c_type));
    switch (q.scalar_type()) {
    case at::kFloat: forward_cpu<float>(l, o, q, k, v, w, out, lse); break;
    case at::kDouble: forward_cpu<double>(l, o, q, k, v, w, out, lse); break;
    case at::kBFloat16: forward_cpu<bf16>(l, o, q, k, v, w, out, lse); break;
    default: TORCH_CHECK(false, "attention: dtype ", q.scalar_type(), " found, float, double or bfloat16 expected");
    }
    ctx->save_for_backward({q, k, v, w, table, lse});
    ctx->saved_data["causal"] = causal, ctx->saved_data["window"] = window;
    ctx->saved_data["value_norm"] = value_norm, ctx->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    Tensor q = saved[0], k = saved[1], v = saved[2], w = saved[3], lse = saved[5];
    Options o{ctx->saved_data["causal"].toBool(), ctx->saved_data["value_norm"].toBool(),
              ctx->saved_data["window"].toInt(), ctx->saved_data["scale"].toDouble()};
    Layout l(q, k, saved[4]);
    bool want_kv = ctx->needs_input_grad(1) || ctx->needs_input_grad(2);
    bool want_w = ctx->needs_input_grad(3);
    Tensor dout = grads[0].to(q.scalar_type()).contiguous();
    Gradients g;
    switch (q.scalar_type()) {
    case at::kFloat: g = backward_cpu<float>(l, o, q, k, v, w, lse, dout, want_kv, want_w); break;
    case at::kDouble: g = backward_cpu<double>(l, o, q, k, v, w, lse, dout, want_kv, want_w); break;
    default: g = backward_cpu<bf16>(l, o, q, k, v, w, lse, dout, want_kv, want_w);
    }
    return {g.q, g.k, g.v, g.w, Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

// composite is the same in libtorch's own operations, pair by pair: for devices without the kernel above, and
// the reference of its tests.
Tensor composite(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, const Tensor &table,
                 const Options &o) {
  Layout l(q, k, table);
  auto c_type = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  auto heads_first = [&](const Tensor &x, int64_t from, int64_t n) { // [n, H', D] → [H, n, D]
    return x.narrow(0, from, n).to(c_type).repeat_interleave(l.heads / x.size(1), 1).transpose(0, 1);
  };
  std::vector<Tensor> parts;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (auto &list : l.by_query) {
    Tensor sum;
    for (int64_t p : list) {
      const Pair &x = l.pairs[p];
      Tensor qi = heads_first(q, x.q0, x.nq), kj = heads_first(k, x.k0, x.nk), vj = heads_first(v, x.k0, x.nk);
      Tensor s = at::matmul(qi, kj.transpose(1, 2)) * o.scale;
      Tensor gap = at::arange(x.nq, s.options()).unsqueeze(1) - at::arange(x.nk, s.options()).unsqueeze(0);
      double none = -std::numeric_limits<double>::infinity();
      if (o.causal) s = s.masked_fill(gap < 0, none);
      if (o.window > 0) s = s.masked_fill(gap >= o.window, none);
      Tensor a = at::softmax(s, -1), y = at::matmul(a, vj);
      if (o.value_norm) y = y / (at::matmul(a, vj.norm(2, -1, true)) + kValueNormEpsilon);
      y = y * w[p].to(c_type);
      sum = sum.defined() ? sum + y : y;
    }
    parts.push_back(sum.transpose(0, 1).to(q.scalar_type())); // [nq, H, D]
    ranges.emplace_back(l.pairs[list[0]].q0, l.pairs[list[0]].nq);
  }
  Tensor out = at::zeros_like(q);
  for (size_t i = 0; i < parts.size(); i++) {
    Tensor rows = at::arange(ranges[i].first, ranges[i].first + ranges[i].second, q.options().dtype(at::kLong));
    out = at::index_add(out, 0, rows, parts[i]);
  }
  return out;
}

} // namespace

char *revela_attention(void *q, void *k, void *v, void *weights, const int64_t *pairs, int64_t npairs, int causal,
                       int64_t window, int value_norm, double scale, int use_composite, void **out) {
  return guard([&] {
    Tensor &Q = T(q), &K = T(k), &V = T(v);
    TORCH_CHECK(Q.dim() == 3 && K.dim() == 3 && V.sizes() == K.sizes() && Q.size(2) == K.size(2) && K.size(1) > 0 &&
                    Q.size(1) % K.size(1) == 0,
                "attention: q ", Q.sizes(), ", k ", K.sizes(), ", v ", V.sizes(),
                " found, [Tq, H, D], [Tk, Hkv, D], [Tk, Hkv, D] with H a multiple of Hkv expected");
    auto c_type = Q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    Tensor w = weights ? T(weights) : at::ones({npairs}, Q.options().dtype(c_type));
    TORCH_CHECK(w.dim() == 1 && w.size(0) == npairs, "attention: weights ", w.sizes(), " found, [", npairs, "] expected");
    Tensor table = at::from_blob(const_cast<int64_t *>(pairs), {npairs, 4}, at::kLong).clone();
    if (!Q.is_cpu() && !use_composite) {
      *out = release(device_attention(Q, K, V, weights ? w : Tensor(), pairs, npairs, causal, window, value_norm, scale));
      return;
    }
    *out = release(use_composite ? composite(Q, K, V, w, table, {(bool)causal, (bool)value_norm, window, scale})
                        : PackedAttention::apply(Q, K, V, w, table, (bool)causal, window, (bool)value_norm, scale));
  });
}
