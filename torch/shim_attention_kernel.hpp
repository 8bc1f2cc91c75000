// What attention over packed sequences computes on, and its forward for one query sequence and head; see
// shim_attention.cpp for the formula.
#pragma once
#include "shim_operand.hpp"
#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <algorithm>
#include <numeric>

namespace revela {

constexpr double kValueNormEpsilon = 1e-6; // of the value norm, as published

// Pair lets nq query rows from q0 read nk keys from k0, as term says.
struct Pair { int64_t q0, nq, k0, nk, term; };

// Term is what the pairs of one sum have in common.
struct Term {
  bool causal, value_norm, weighted; // weighted: not every pair's weight is 1
  int64_t window;
  // Row r of a sequence reads the keys [first(r), end(r, nk)).
  int64_t first(int64_t r) const { return window > 0 && r >= window ? r - window + 1 : 0; }
  int64_t end(int64_t r, int64_t nk) const { return causal ? std::min(r + 1, nk) : nk; }
};

// Layout is what forward and backward know about the packed tensors and the pairs.
struct Layout {
  int64_t tq, tk, heads, kv_heads, dim;
  std::vector<Pair> pairs;
  std::vector<Term> terms;
  double scale;
  std::vector<int64_t> lse_at;                       // row of pair p in the table of log Σ exp [rows, H]
  std::vector<std::vector<int64_t>> by_query, by_key; // pairs of each query and each key sequence
  std::vector<int64_t> query_slot, key_slot;         // sequences of a pair
  std::vector<int64_t> query_at, key_at;             // where a sequence begins when all are of even length, or tiled
  int64_t lse_rows = 0, even_queries = 0, tiled_keys = 0, longest_key = 0; // the last tiled

  Layout(const at::Tensor &q, const at::Tensor &k, const at::Tensor &table, std::vector<Term> t, double s)
      : terms(std::move(t)), scale(s) {
    tq = q.size(0), heads = q.size(1), dim = q.size(2), tk = k.size(0), kv_heads = k.size(1);
    const int64_t *d = table.const_data_ptr<int64_t>();
    std::vector<int64_t> q_slot(tq + 1, -1), k_slot(tk + 1, -1);
    for (int64_t p = 0; p < table.size(0); p++, d += 5) add(p, {d[0], d[1], d[2], d[3], d[4]}, q_slot, k_slot);
    for (auto &list : by_query) {
      query_at.push_back(even_queries);
      even_queries += even(pairs[list[0]].nq);
    }
    for (auto &list : by_key) {
      int64_t n = tiled(pairs[list[0]].nk);
      key_at.push_back(tiled_keys);
      tiled_keys += n, longest_key = std::max(longest_key, n);
    }
  }
  int64_t group() const { return heads / kv_heads; }
  const Term &term(const Pair &p) const { return terms[p.term]; }
  bool any_value_norm() const {
    return std::any_of(terms.begin(), terms.end(), [](const Term &t) { return t.value_norm; });
  }
  // work is what the pairs of each list cost, in scores.
  std::vector<int64_t> work(const std::vector<std::vector<int64_t>> &lists) const {
    std::vector<int64_t> sums;
    for (auto &list : lists) {
      sums.push_back(0);
      for (int64_t p : list) sums.back() += pairs[p].nq * pairs[p].nk / (term(pairs[p]).causal ? 2 : 1);
    }
    return sums;
  }

private:
  void add(int64_t p, Pair x, std::vector<int64_t> &q_slot, std::vector<int64_t> &k_slot) {
    TORCH_CHECK(x.q0 >= 0 && x.nq > 0 && x.q0 + x.nq <= tq && x.k0 >= 0 && x.nk > 0 && x.k0 + x.nk <= tk, "attention: pair ",
                p, " (", x.q0, "+", x.nq, ", ", x.k0, "+", x.nk, ") lies outside of ", tq, " queries and ", tk, " keys");
    pairs.push_back(x);
    lse_at.push_back(lse_rows);
    lse_rows += x.nq;
    query_slot.push_back(slot(q_slot, by_query, x.q0)), key_slot.push_back(slot(k_slot, by_key, x.k0));
    auto &same_q = by_query[query_slot.back()], &same_k = by_key[key_slot.back()];
    same_q.push_back(p), same_k.push_back(p);
    TORCH_CHECK(pairs[same_q[0]].nq == x.nq && pairs[same_k[0]].nk == x.nk, "attention: pair ", p,
                " gives its sequences other lengths than an earlier pair");
  }
  static int64_t slot(std::vector<int64_t> &index, std::vector<std::vector<int64_t>> &lists, int64_t at) {
    if (index[at] < 0) index[at] = (int64_t)lists.size(), lists.emplace_back();
    return index[at];
  }
};

// longest_first orders tasks, of which copies have the same work.
inline std::vector<int64_t> longest_first(const std::vector<int64_t> &work, int64_t copies) {
  std::vector<int64_t> order(work.size() * copies);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return work[a / copies] > work[b / copies]; });
  return order;
}

// balance deals tasks out to so many lists, the longest first to the one with the least work: the same for the same
// costs, whatever thread takes which list.
inline std::vector<std::vector<int64_t>> balance(const std::vector<int64_t> &work, int64_t copies, int64_t lists) {
  std::vector<int64_t> load(lists, 0);
  std::vector<std::vector<int64_t>> shares(lists);
  for (int64_t task : longest_first(work, copies)) {
    int64_t least = std::min_element(load.begin(), load.end()) - load.begin();
    shares[least].push_back(task);
    load[least] += work[task / copies];
  }
  return shares;
}

// norms fills n with ‖v_r‖₂ of each row of v; row is room for one.
template <class S, class C> void norms(const S *v, int64_t stride, int64_t rows, int64_t d, C *row, C *n) {
  for (int64_t r = 0; r < rows; r++) {
    pack_rows(v + r * stride, stride, 1, 1, d, row);
    n[r] = std::sqrt(dot(row, row, d));
  }
}

// Kernel is attention over tensors of S whose products multiply elements of E and sum in C.
template <class S, class E> struct Kernel {
  using C = typename compute<S>::type;
  static constexpr int64_t most_rows = std::is_same_v<E, bf16> ? 32 : 64; // of a query, in a block

  const Layout &l;
  const S *q, *k, *v;
  const C *weights; // [pairs]
  // Keys packed once: Kᵀ B[D, nk] and V B[nk, D] for each key head, sequence after sequence; ‖V‖ [Hkv, keys].
  E *keys_t, *values;
  C *value_norms; // null where no term needs them

  int64_t kv_at(int64_t slot, int64_t hk) const { return hk * l.tiled_keys + l.key_at[slot]; }

  // pack_keys prepares a key sequence of a key head for forward.
  void pack_keys(int64_t slot, int64_t hk) {
    const Pair &x = l.pairs[l.by_key[slot][0]];
    int64_t at = (x.k0 * l.kv_heads + hk) * l.dim, stride = l.kv_heads * l.dim, n = tiled(x.nk), to = kv_at(slot, hk);
    pack_columns(k + at, stride, x.nk, n, l.dim, keys_t + to * l.dim);
    pack_rows(v + at, stride, x.nk, n, l.dim, values + to * l.dim);
    if (!value_norms) return;
    std::vector<C> row(l.dim);
    norms(v + at, stride, x.nk, l.dim, row.data(), value_norms + to);
    std::fill(value_norms + to + x.nk, value_norms + to + n, C(0));
  }

  // block_rows divides a query's rows into blocks of one size but for the last, which is even.
  static int64_t block_rows(int64_t nq) {
    int64_t blocks = (nq + most_rows - 1) / most_rows;
    return even((nq + blocks - 1) / blocks);
  }

  // reach is how many keys, tiled, a block of rows from r0 of a pair needs.
  int64_t reach(const Pair &x, int64_t r0, int64_t rows) const { return tiled(l.term(x).end(r0 + rows - 1, x.nk)); }

  // forward computes head h of the query sequence that the pairs of list share.
  void forward(const std::vector<int64_t> &list, int64_t h, S *out, C *lse, Room<C> &sums, Room<E> &elements) const {
    const Pair &first = l.pairs[list[0]];
    int64_t d = l.dim, longest = l.longest_key, n = block_rows(first.nq);
    C *s = sums.of(n * (longest + 2 * d)), *ob = s + n * longest, *acc = ob + n * d;
    E *pb = elements.of(n * (longest + d)), *qb = pb + n * longest;
    for (int64_t r0 = 0; r0 < first.nq; r0 += n) {
      int64_t rows = std::min(n, first.nq - r0), at = ((first.q0 + r0) * l.heads + h) * d;
      Left<E> qa = left(q + at, l.heads * d, rows, d, qb);
      std::fill(acc, acc + rows * d, C(0));
      for (int64_t p : list) add_pair(p, h, r0, rows, qa, s, pb, ob, acc, lse);
      for (int64_t r = 0; r < rows; r++) store_row(acc + r * d, d, out + at + r * l.heads * d);
    }
  }

private:
  void add_pair(int64_t p, int64_t h, int64_t r0, int64_t rows, Left<E> qa, C *s, E *pb, C *ob, C *acc, C *lse) const {
    const Pair &x = l.pairs[p];
    const Term &t = l.term(x);
    int64_t d = l.dim, nk = reach(x, r0, rows), at = kv_at(l.key_slot[p], h / l.group());
    const C *norms = t.value_norm ? value_norms + at : nullptr;
    multiply(rows, nk, d, qa.at, qa.stride, keys_t + at * d, tiled(x.nk), s, nk, false);
    C mean_norm[most_rows];
    for (int64_t r = 0; r < rows; r++) {
      auto row = softmax_row(As<S>(), s + r * nk, (C)l.scale, t.first(r0 + r), t.end(r0 + r, x.nk), nk, norms, pb + r * nk);
      lse[(l.lse_at[p] + r0 + r) * l.heads + h] = row.lse, mean_norm[r] = row.mean_norm;
    }
    multiply(rows, d, nk, pb, nk, values + at * d, d, ob, d, false);
    for (int64_t r = 0; r < rows; r++) {
      C by = t.value_norm ? mean_norm[r] + (C)kValueNormEpsilon : C(1);
      axpy(weights[p] / by, ob + r * d, acc + r * d, d);
    }
  }
};

} // namespace revela
