// The attention of one query sequence and head, forward, and of one key sequence and head, backward; see
// shim_attention.cpp for what is computed.
#pragma once
#include "shim_attention.hpp"
#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

namespace revela {

constexpr double kValueNormEpsilon = 1e-6; // of the value norm, as published
constexpr int64_t kRows = 128;             // query rows in a block

struct Pair { int64_t q0, nq, k0, nk; };

struct Options {
  bool causal, value_norm;
  int64_t window;
  double scale;
  // Row r of a sequence reads the keys [first(r), end(r, nk)).
  int64_t first(int64_t r) const { return window > 0 && r >= window ? r - window + 1 : 0; }
  int64_t end(int64_t r, int64_t nk) const { return causal ? std::min(r + 1, nk) : nk; }
};

// Layout is what forward and backward know about the packed tensors and the pairs.
struct Layout {
  int64_t tq, tk, heads, kv_heads, dim;
  std::vector<Pair> pairs;
  std::vector<int64_t> lse_at;                       // row of pair p in the table of log Σ exp [rows, H]
  std::vector<std::vector<int64_t>> by_query, by_key; // pairs of each query and each key sequence
  int64_t lse_rows = 0;

  Layout(const at::Tensor &q, const at::Tensor &k, const at::Tensor &table) {
    tq = q.size(0), heads = q.size(1), dim = q.size(2), tk = k.size(0), kv_heads = k.size(1);
    const int64_t *d = table.const_data_ptr<int64_t>();
    std::vector<int64_t> q_slot(tq + 1, -1), k_slot(tk + 1, -1);
    for (int64_t p = 0; p < table.size(0); p++, d += 4) {
      Pair x{d[0], d[1], d[2], d[3]};
      TORCH_CHECK(x.q0 >= 0 && x.nq > 0 && x.q0 + x.nq <= tq && x.k0 >= 0 && x.nk > 0 && x.k0 + x.nk <= tk,
                  "attention: pair ", p, " (", x.q0, "+", x.nq, ", ", x.k0, "+", x.nk, ") lies outside of ", tq,
                  " queries and ", tk, " keys");
      pairs.push_back(x);
      lse_at.push_back(lse_rows);
      lse_rows += x.nq;
      auto &same_q = slot(q_slot, by_query, x.q0), &same_k = slot(k_slot, by_key, x.k0);
      same_q.push_back(p), same_k.push_back(p);
      TORCH_CHECK(pairs[same_q[0]].nq == x.nq && pairs[same_k[0]].nk == x.nk, "attention: pair ", p,
                  " gives its sequences other lengths than an earlier pair");
    }
  }
  int64_t group() const { return heads / kv_heads; }
  int64_t longest_key() const {
    int64_t n = 0;
    for (auto &p : pairs) n = std::max(n, p.nk);
    return n;
  }

private:
  static std::vector<int64_t> &slot(std::vector<int64_t> &index, std::vector<std::vector<int64_t>> &lists, int64_t at) {
    if (index[at] < 0) index[at] = (int64_t)lists.size(), lists.emplace_back();
    return lists[index[at]];
  }
};

// norms fills n with ‖v_r‖₂ of each row.
template <class C> void norms(const C *v, int64_t rows, int64_t d, C *n) {
  for (int64_t r = 0; r < rows; r++) n[r] = std::sqrt(dot(v + r * d, v + r * d, d));
}

template <class S> struct Kernel {
  using C = typename compute<S>::type;
  const Layout &l;
  const Options &o;
  const S *q, *k, *v;
  const C *weights; // [pairs]

  // scores fills s [rows, nk] for query rows r0… of a pair; in bf16 rounded where transformers' eager attention does.
  void scores(const C *qb, const C *kb, int64_t rows, int64_t nk, C *s) const {
    constexpr bool narrow = std::is_same_v<S, bf16>;
    gemm(false, true, (int)rows, (int)nk, (int)l.dim, narrow ? C(1) : (C)o.scale, qb, (int)l.dim, kb, (int)l.dim, C(0), s,
         (int)nk);
    if (narrow) round_scores(s, (C)o.scale, rows * nk);
  }

  // forward computes head h of the query sequence that the pairs of list share.
  void forward(const std::vector<int64_t> &list, int64_t h, S *out, C *lse, std::vector<C> &buffer) const {
    int64_t d = l.dim, q0 = l.pairs[list[0]].q0, longest = l.longest_key();
    buffer.resize(kRows * (longest + 3 * d) + longest * (2 * d + 1));
    C *s = buffer.data(), *qb = s + kRows * longest, *ob = qb + kRows * d, *acc = ob + kRows * d;
    C *kb = acc + kRows * d, *vb = kb + longest * d, *nb = vb + longest * d;
    int64_t nq = l.pairs[list[0]].nq, hk = h / l.group();
    for (int64_t r0 = 0; r0 < nq; r0 += kRows) {
      int64_t rows = std::min(kRows, nq - r0);
      unpack(q + ((q0 + r0) * l.heads + h) * d, l.heads * d, rows, d, qb);
      std::fill(acc, acc + rows * d, C(0));
      for (int64_t p : list) {
        const Pair &x = l.pairs[p];
        int64_t nk = o.end(r0 + rows - 1, x.nk);
        keys(x, hk, nk, kb, vb, nb);
        scores(qb, kb, rows, nk, s);
        for (int64_t r = 0; r < rows; r++)
          lse[(l.lse_at[p] + r0 + r) * l.heads + h] = softmax_row(s + r * nk, o.first(r0 + r), o.end(r0 + r, nk), nk);
        if (std::is_same_v<S, bf16>) round_values(s, rows * nk);
        gemm(false, false, (int)rows, (int)d, (int)nk, C(1), s, (int)nk, vb, (int)d, C(0), ob, (int)d);
        for (int64_t r = 0; r < rows; r++) {
          C by = o.value_norm ? dot(s + r * nk, nb, nk) + (C)kValueNormEpsilon : C(1);
          axpy(weights[p] / by, ob + r * d, acc + r * d, d);
        }
      }
      pack(acc, rows, d, out + ((q0 + r0) * l.heads + h) * d, l.heads * d);
    }
  }

  void keys(const Pair &x, int64_t hk, int64_t nk, C *kb, C *vb, C *nb) const {
    unpack(k + (x.k0 * l.kv_heads + hk) * l.dim, l.kv_heads * l.dim, nk, l.dim, kb);
    unpack(v + (x.k0 * l.kv_heads + hk) * l.dim, l.kv_heads * l.dim, nk, l.dim, vb);
    if (o.value_norm) norms(vb, nk, l.dim, nb);
  }
};

// Backward of one key sequence and key head, over all queries that read it.
template <class S> struct BackwardTask {
  using C = typename compute<S>::type;
  const Kernel<S> &f;
  const S *dout;
  const C *lse;
  C *dq;            // [Tq, H, D], this thread's sum
  C *dweights;      // [pairs], this thread's sum; null when not wanted
  bool want_kv;
  std::vector<C> buffer;
  C *s = nullptr, *x = nullptr, *qb = nullptr, *gb = nullptr, *tb = nullptr, *kb = nullptr, *vb = nullptr, *nb = nullptr,
    *dk = nullptr, *dv = nullptr, *dn = nullptr, *row = nullptr;

  void run(const std::vector<int64_t> &list, int64_t hk, S *dk_out, S *dv_out) {
    const Layout &l = f.l;
    const Pair &first = l.pairs[list[0]];
    allocate();
    f.keys(first, hk, first.nk, kb, vb, nb);
    std::fill(dk, dk + first.nk * l.dim, C(0));
    std::fill(dv, dv + first.nk * l.dim, C(0));
    std::fill(dn, dn + first.nk, C(0));
    for (int64_t p : list)
      for (int64_t h = hk * l.group(); h < (hk + 1) * l.group(); h++)
        for (int64_t r0 = 0; r0 < l.pairs[p].nq; r0 += kRows) block(p, h, r0);
    if (!want_kv) return;
    if (f.o.value_norm) // d‖v‖/dv = v/‖v‖
      for (int64_t r = 0; r < first.nk; r++)
        axpy(nb[r] > 0 ? dn[r] / nb[r] : C(0), vb + r * l.dim, dv + r * l.dim, l.dim);
    pack(dk, first.nk, l.dim, dk_out + (first.k0 * l.kv_heads + hk) * l.dim, l.kv_heads * l.dim);
    pack(dv, first.nk, l.dim, dv_out + (first.k0 * l.kv_heads + hk) * l.dim, l.kv_heads * l.dim);
  }

private:
  void allocate() {
    int64_t d = f.l.dim, n = f.l.longest_key();
    buffer.resize(kRows * (2 * n + 3 * d + 1) + n * (4 * d + 2));
    C *next = buffer.data();
    auto take = [&](int64_t count) { C *at = next; next += count; return at; };
    s = take(kRows * n), x = take(kRows * n), qb = take(kRows * d), gb = take(kRows * d), tb = take(kRows * d);
    row = take(kRows), kb = take(n * d), vb = take(n * d), dk = take(n * d), dv = take(n * d), nb = take(n), dn = take(n);
  }

  // block adds the gradients of query rows r0… of pair p and head h.
  void block(int64_t p, int64_t h, int64_t r0) {
    const Layout &l = f.l;
    const Pair &pr = l.pairs[p];
    int64_t d = l.dim, rows = std::min(kRows, pr.nq - r0), nk = f.o.end(r0 + rows - 1, pr.nk);
    int64_t at = ((pr.q0 + r0) * l.heads + h) * d, stride = l.heads * d;
    unpack(f.q + at, stride, rows, d, qb);
    unpack(dout + at, stride, rows, d, gb);
    f.scores(qb, kb, rows, nk, s);
    for (int64_t r = 0; r < rows; r++)
      exp_row(s + r * nk, lse[(l.lse_at[p] + r0 + r) * l.heads + h], f.o.first(r0 + r), f.o.end(r0 + r, nk), nk);
    if (std::is_same_v<S, bf16>) round_values(s, rows * nk);
    gemm(false, true, (int)rows, (int)nk, (int)d, C(1), gb, (int)d, vb, (int)d, C(0), x, (int)nk); // x = dO Vᵀ
    C w = f.weights[p];
    for (int64_t r = 0; r < rows; r++) score_gradients(p, w, r, nk);
    gemm(false, false, (int)rows, (int)d, (int)nk, (C)f.o.scale, x, (int)nk, kb, (int)d, C(0), tb, (int)d);
    for (int64_t r = 0; r < rows; r++) axpy(C(1), tb + r * d, dq + at + r * stride, d);
    if (!want_kv) return;
    gemm(true, false, (int)nk, (int)d, (int)rows, (C)f.o.scale, x, (int)nk, qb, (int)d, C(1), dk, (int)d);
    gemm(true, false, (int)nk, (int)d, (int)rows, C(1), s, (int)nk, gb, (int)d, C(1), dv, (int)d);
  }

  // score_gradients turns row r of x into dS, scales dO to the gradient of A V, and sums dw and d‖V‖.
  // With N = A V, m = A‖V‖, O = N/(m+ε): dN = w·dO/(m+ε), dm = −w·⟨dO,O⟩/(m+ε), dw = ⟨dO,O⟩.
  void score_gradients(int64_t p, C w, int64_t r, int64_t nk) {
    C *a = s + r * nk, *g = x + r * nk, *grad = gb + r * f.l.dim;
    C along = dot(a, g, nk), divisor = 1, dm = 0; // along = ⟨dO, N⟩
    if (f.o.value_norm) {
      divisor = dot(a, nb, nk) + (C)kValueNormEpsilon;
      along /= divisor;
      dm = -w * along / divisor;
      axpy(dm, a, dn, nk);
    }
    if (dweights) dweights[p] += along;
    C dn_scale = w / divisor;
    // Σ A·dA = ⟨dN,N⟩ + dm·m: w·⟨dO,O⟩ without the norm, w·⟨dO,O⟩·ε/(m+ε) with it
    C inner = f.o.value_norm ? w * along * (C)kValueNormEpsilon / divisor : w * along;
    score_gradient_row(a, f.o.value_norm ? nb : nullptr, dn_scale, dm, inner, g, nk);
    for (int64_t c = 0; c < f.l.dim; c++) grad[c] *= dn_scale;
  }
};

} // namespace revela
