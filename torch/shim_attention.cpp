// Attention over packed sequences: self-attention and the paper's in-batch attention in one operation.
//
// Sequences of unequal length lie one after another in q [Tq, H, D] and k, v [Tk, Hkv, D]; no padding. A pair
// p = (i, j) lets the rows of query sequence i read key sequence j. With A = softmax(scale · Q_i K_jᵀ + mask),
//
//   out_i = Σ_p w_p · A V_j                       without value_norm
//   out_i = Σ_p w_p · A V_j / (A ‖V_j‖ + 1e-6)    with it (arXiv 2506.16552, "V-normalisation")
//
// where the pair's term says which of both, and what is masked. Scores live a block of rows at a time and are computed
// again in backward, so memory grows with tokens and never with pairs × length². Heads of grouped queries share keys
// without a copy. Sums are fp32 (fp64 for fp64); bf16 is multiplied as bf16 where the processor does, else as fp32.
#include "shim_attention_backward.hpp"
#include "shim.h"
#include "shim_device.hpp"
#include "shim_turns.hpp"
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using namespace revela;

namespace {

// scratch is a thread's room for blocks; it stays for the next operation. Slots keep kinds of blocks apart.
template <class X, int slot> Room<X> &scratch() {
  thread_local Room<X> room;
  return room;
}

// in_lists runs work(list, number) for every list of tasks, a list a thread.
template <class F> void in_lists(const std::vector<std::vector<int64_t>> &lists, F work) {
  int64_t n = (int64_t)lists.size();
  take_turns(n, 1, n, [&](int64_t i, int64_t) { work(lists[i], i); });
}

template <class S, class E> Kernel<S, E> kernel(const Layout &l, const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w) {
  using C = typename compute<S>::type;
  return {l, q.const_data_ptr<S>(), k.const_data_ptr<S>(), v.const_data_ptr<S>(), w.const_data_ptr<C>(), nullptr, nullptr, nullptr};
}

template <class S, class E>
void forward_cpu(const Layout &l, const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, Tensor &out, Tensor &lse) {
  using C = typename compute<S>::type;
  Kernel<S, E> f = kernel<S, E>(l, q, k, v, w);
  int64_t keys = l.kv_heads * l.tiled_keys;
  f.keys_t = scratch<E, 2>().of(keys * l.dim), f.values = scratch<E, 3>().of(keys * l.dim);
  if (l.any_value_norm()) f.value_norms = scratch<C, 4>().of(keys);
  at::parallel_for(0, (int64_t)l.by_key.size() * l.kv_heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) f.pack_keys(t / l.kv_heads, t % l.kv_heads);
  });
  S *to = out.mutable_data_ptr<S>();
  C *table = lse.mutable_data_ptr<C>();
  auto order = longest_first(l.work(l.by_query), l.heads);
  take_turns((int64_t)order.size(), 1, at::get_num_threads(), [&](int64_t i, int64_t) {
    int64_t t = order[i];
    f.forward(l.by_query[t / l.heads], t % l.heads, to, table, scratch<C, 0>(), scratch<E, 1>());
  });
}

template <class S, class E> void turn_all(Turned<S, E> &turned, const S *q, const S *dout) {
  const Layout &l = turned.l;
  int64_t n = l.heads * l.even_queries * l.dim;
  turned.q = scratch<E, 2>().of(2 * n), turned.dout = turned.q + n;
  at::parallel_for(0, (int64_t)l.by_query.size() * l.heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) turned.turn(t / l.heads, t % l.heads, q, dout);
  });
}

struct Gradients { Tensor q, k, v, w; };

template <class S, class E>
Gradients backward_cpu(const Layout &l, const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, const Tensor &lse,
                       const Tensor &dout, bool want_kv, bool want_w) {
  using C = typename compute<S>::type;
  Kernel<S, E> f = kernel<S, E>(l, q, k, v, w);
  int64_t threads = at::get_num_threads(), pairs = (int64_t)l.pairs.size();
  bool shared = (int64_t)l.by_query.size() < pairs; // a query reads several keys: one sum a list
  Tensor dq = at::zeros({shared ? threads : 1, l.tq, l.heads, l.dim}, lse.options());
  Tensor dw = at::zeros({threads, pairs}, lse.options());
  Tensor dk = want_kv ? at::zeros_like(k) : Tensor(), dv = want_kv ? at::zeros_like(v) : Tensor();
  C *dq_at = dq.mutable_data_ptr<C>(), *dw_at = dw.mutable_data_ptr<C>();
  S *dk_at = want_kv ? dk.mutable_data_ptr<S>() : nullptr, *dv_at = want_kv ? dv.mutable_data_ptr<S>() : nullptr;
  Turned<S, E> turned{l, nullptr, nullptr};
  if (want_kv) turn_all(turned, f.q, dout.const_data_ptr<S>());
  in_lists(balance(l.work(l.by_key), l.kv_heads, threads), [&](const std::vector<int64_t> &tasks, int64_t list) {
    BackwardTask<S, E> task{f, turned, dout.const_data_ptr<S>(), lse.const_data_ptr<C>(),
                            dq_at + (shared ? list * l.tq * l.heads * l.dim : 0), want_w ? dw_at + list * pairs : nullptr,
                            want_kv, scratch<C, 0>(), scratch<E, 1>()};
    for (int64_t t : tasks) task.run(t / l.kv_heads, t % l.kv_heads, dk_at, dv_at);
  });
  Tensor dq_sum = (shared ? dq.sum(0) : dq.squeeze(0)).to(q.scalar_type());
  return {dq_sum, dk, dv, want_w ? dw.sum(0) : Tensor()};
}

// with_types calls f with null pointers of the storage type and of the products' elements.
template <class F> void with_types(const Tensor &q, F f) {
  switch (q.scalar_type()) {
  case at::kFloat: return f((float *)nullptr, (float *)nullptr);
  case at::kDouble: return f((double *)nullptr, (double *)nullptr);
  case at::kBFloat16:
    if (multiplies_bf16() && q.size(2) % 2 == 0) return f((bf16 *)nullptr, (bf16 *)nullptr);
    return f((bf16 *)nullptr, (float *)nullptr);
  default: TORCH_CHECK(false, "attention: dtype ", q.scalar_type(), " found, float, double or bfloat16 expected");
  }
}

std::vector<Term> terms_of(at::IntArrayRef table) {
  std::vector<Term> terms;
  for (auto t = table.begin(); t < table.end(); t += 4) terms.push_back({t[0] != 0, t[1] != 0, t[2] != 0, t[3]});
  return terms;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// pairs is an int64 table [pairs, 5] of q0, nq, k0, nk and term; terms a list of four numbers each, as Term has them.
struct PackedAttention : torch::autograd::Function<PackedAttention> {
  static Tensor forward(AutogradContext *ctx, Tensor q, Tensor k, Tensor v, Tensor w, Tensor pairs, std::vector<int64_t> terms,
                        double scale) {
    Layout l(q, k, pairs, terms_of(terms), scale);
    q = q.contiguous(), k = k.contiguous(), v = v.contiguous(), w = w.to(sum_type(q)).contiguous();
    Tensor out = at::zeros_like(q), lse = at::empty({l.lse_rows, l.heads}, q.options().dtype(sum_type(q)));
    with_types(q, [&](auto *s, auto *e) {
      forward_cpu<std::remove_pointer_t<decltype(s)>, std::remove_pointer_t<decltype(e)>>(l, q, k, v, w, out, lse);
    });
    ctx->save_for_backward({q, k, v, w, pairs, lse});
    ctx->saved_data["terms"] = terms, ctx->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    Tensor q = saved[0], k = saved[1], v = saved[2], w = saved[3], lse = saved[5];
    Layout l(q, k, saved[4], terms_of(ctx->saved_data["terms"].toIntVector()), ctx->saved_data["scale"].toDouble());
    bool want_kv = ctx->needs_input_grad(1) || ctx->needs_input_grad(2), want_w = ctx->needs_input_grad(3);
    Tensor dout = grads[0].to(q.scalar_type()).contiguous();
    Gradients g;
    with_types(q, [&](auto *s, auto *e) {
      g = backward_cpu<std::remove_pointer_t<decltype(s)>, std::remove_pointer_t<decltype(e)>>(l, q, k, v, w, lse, dout, want_kv,
                                                                                          want_w);
    });
    return {g.q, g.k, g.v, g.w, Tensor(), Tensor(), Tensor()};
  }
};

// composite is the same in libtorch's own operations, pair by pair:
// the reference of its tests.
Tensor composite(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, const Tensor &table,
                 const std::vector<Term> &terms, double scale) {
  Layout l(q, k, table, terms, scale);
  auto c_type = sum_type(q);
  auto heads_first = [&](const Tensor &x, int64_t from, int64_t n) { // [n, H', D] → [H, n, D]
    return x.narrow(0, from, n).to(c_type).repeat_interleave(l.heads / x.size(1), 1).transpose(0, 1);
  };
  std::vector<Tensor> parts;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (auto &list : l.by_query) {
    Tensor sum;
    for (int64_t p : list) {
      const Pair &x = l.pairs[p];
      const Term &o = l.term(x);
      Tensor qi = heads_first(q, x.q0, x.nq), kj = heads_first(k, x.k0, x.nk), vj = heads_first(v, x.k0, x.nk);
      Tensor s = at::matmul(qi, kj.transpose(1, 2)) * scale;
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

// weights holds a tensor for each term [its pairs], null where all are 1; pairs and terms are tables as above, pairs in the
// order of their terms.
char *revela_attention(void *q, void *k, void *v, const int64_t *pairs, int64_t npairs, void **weights, const int64_t *terms,
                       int nterms, double scale, int use_composite, void **out) {
  return guard([&] {
    Tensor &Q = T(q), &K = T(k), &V = T(v);
    TORCH_CHECK(Q.dim() == 3 && K.dim() == 3 && V.sizes() == K.sizes() && Q.size(2) == K.size(2) && K.size(1) > 0 &&
                     Q.size(1) % K.size(1) == 0,
                "attention: q ", Q.sizes(), ", k ", K.sizes(), ", v ", V.sizes(),
                " found, [Tq, H, D], [Tk, Hkv, D], [Tk, Hkv, D] with H a multiple of Hkv expected");
    Tensor table = at::from_blob(const_cast<int64_t *>(pairs), {npairs, 5}, at::kLong).clone();
    std::vector<int64_t> numbers(terms, terms + 4 * nterms), of_term(nterms, 0);
    for (int64_t p = 0; p < npairs; p++) of_term[pairs[5 * p + 4]]++;
    std::vector<Tensor> w = list(weights, nterms);
    for (int i = 0; i < nterms; i++)
      TORCH_CHECK(!w[i].defined() || (w[i].dim() == 1 && w[i].size(0) == of_term[i]), "attention: weights ", w[i].sizes(), " found for ",
                  of_term[i], " pairs");
    if (!Q.is_cpu() && !use_composite) {
      *out = release(device_attention(Q, K, V, w, table, terms_of(numbers), scale));
      return;
    }
    for (int i = 0; i < nterms; i++)
      if (!w[i].defined()) w[i] = at::ones({of_term[i]}, Q.options().dtype(sum_type(Q)));
    Tensor all = w.size() == 1 ? w[0] : at::cat(w);
    if (use_composite) *out = release(composite(Q, K, V, all, table, terms_of(numbers), scale));
    else *out = release(PackedAttention::apply(Q, K, V, all, table, numbers, scale));
  });
}
