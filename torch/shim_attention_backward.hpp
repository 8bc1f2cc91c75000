// The backward of attention over packed sequences for one key sequence and key head, over all queries that read it.
#pragma once
#include "shim_attention_kernel.hpp"

namespace revela {

// Turned are q and dO transposed, a block of a query's rows after the other, [D, rows] with an even number of rows: A in the
// products that give the gradients of K and V, for all keys that the query reads.
template <class S, class E> struct Turned {
  const Layout &l;
  E *q, *dout; // [H, even queries, D]

  // offset of the block from row r0 of a query sequence.
  int64_t offset(int64_t slot, int64_t h, int64_t r0) const { return (h * l.even_queries + l.query_at[slot] + r0) * l.dim; }

  // turn fills in head h of a query sequence.
  void turn(int64_t slot, int64_t h, const S *from_q, const S *from_dout) const {
    const Pair &x = l.pairs[l.by_query[slot][0]];
    for (int64_t r0 = 0, n = Kernel<S, E>::block_rows(x.nq); r0 < x.nq; r0 += n) {
      int64_t rows = std::min(n, x.nq - r0), at = ((x.q0 + r0) * l.heads + h) * l.dim, to = offset(slot, h, r0);
      transpose(from_q + at, l.heads * l.dim, rows, l.dim, q + to);
      transpose(from_dout + at, l.heads * l.dim, rows, l.dim, dout + to);
    }
  }
};

template <class S, class E> struct BackwardTask {
  using Forward = Kernel<S, E>;
  using C = typename Forward::C;
  const Forward &f;
  const Turned<S, E> &turned;
  const S *dout;
  const C *lse;
  C *dq;       // [Tq, H, D], the sum of one list of tasks
  C *dweights; // [pairs], likewise; null when not wanted
  bool want_kv;
  Room<C> &sums; // room for blocks, as is elements
  Room<E> &elements;
  C *s = nullptr, *x = nullptr, *norm = nullptr, *dk = nullptr, *dv = nullptr, *dn = nullptr, *row = nullptr;
  E *sb = nullptr, *xb = nullptr, *qb = nullptr, *gb = nullptr, *kt = nullptr, *vt = nullptr, *kr = nullptr;

  void run(int64_t slot, int64_t hk, S *dk_out, S *dv_out) {
    const Layout &l = f.l;
    const std::vector<int64_t> &list = l.by_key[slot];
    const Pair &first = l.pairs[list[0]];
    allocate();
    int64_t nk = tiled(first.nk), at = (first.k0 * l.kv_heads + hk) * l.dim, stride = l.kv_heads * l.dim;
    pack_columns(f.k + at, stride, first.nk, nk, l.dim, kt);
    pack_columns(f.v + at, stride, first.nk, nk, l.dim, vt);
    pack_rows(f.k + at, stride, first.nk, nk, l.dim, kr);
    std::fill(norm, norm + nk, C(0));
    if (l.any_value_norm()) norms(f.v + at, stride, first.nk, l.dim, row, norm);
    std::fill(dk, dk + 2 * nk * l.dim, C(0)); // and dv behind it
    dv = dk + nk * l.dim;
    std::fill(dn, dn + nk, C(0));
    for (int64_t p : list)
      for (int64_t h = hk * l.group(); h < (hk + 1) * l.group(); h++)
        for (int64_t r0 = 0, n = Forward::block_rows(l.pairs[p].nq); r0 < l.pairs[p].nq; r0 += n) block(p, h, r0, nk);
    if (want_kv) write(first, at, stride, nk, dk_out, dv_out);
  }

private:
  void allocate() {
    int64_t d = f.l.dim, n = f.l.longest_key, rows = Forward::most_rows;
    int64_t block = (rows + 1) * n, most = 8; // buffers, each of which begins with a line
    C *next = sums.of(2 * block + n * (2 * d + 2) + d + most * Room<C>::line);
    auto take = [&](int64_t count) { C *at = next; next += Room<C>::lines(count); return at; };
    s = take(block), x = take(block), dk = take(2 * n * d), norm = take(n), dn = take(n), row = take(d);
    E *free = elements.of(2 * block + 2 * rows * d + 3 * n * d + most * Room<E>::line);
    auto take_e = [&](int64_t count) { E *at = free; free += Room<E>::lines(count); return at; };
    sb = take_e(block), xb = take_e(block), qb = take_e(rows * d), gb = take_e(rows * d);
    kt = take_e(n * d), vt = take_e(n * d), kr = take_e(n * d);
  }

  // block adds the gradients of query rows r0… of pair p and head h. The sums of K and V are transposed, [D, nk]: so both
  // are products with P and dS as B, which are at hand by rows.
  void block(int64_t p, int64_t h, int64_t r0, int64_t ld) {
    const Layout &l = f.l;
    const Pair &pr = l.pairs[p];
    const Term &t = l.term(pr);
    int64_t d = l.dim, rows = std::min(Forward::block_rows(pr.nq), pr.nq - r0), nk = f.reach(pr, r0, rows);
    int64_t at = ((pr.q0 + r0) * l.heads + h) * d, stride = l.heads * d;
    Left<E> qa = left(f.q + at, stride, rows, d, qb), ga = left(dout + at, stride, rows, d, gb);
    multiply(rows, nk, d, qa.at, qa.stride, kt, ld, s, nk, false);
    multiply(rows, nk, d, ga.at, ga.stride, vt, ld, x, nk, false); // x = dO Vᵀ
    for (int64_t r = 0; r < rows; r++) {
      probability_row(As<S>(), s + r * nk, (C)l.scale, lse[(l.lse_at[p] + r0 + r) * l.heads + h], t.first(r0 + r),
                      t.end(r0 + r, pr.nk), nk);
      score_gradients(p, t, r, nk);
    }
    Left<E> xa = as_left(x, rows, nk, xb);
    multiply(rows, d, nk, xa.at, xa.stride, kr, d, dq + at, stride, true);
    if (!want_kv) return;
    int64_t n = std::is_same_v<E, bf16> ? even(rows) : rows, to = turned.offset(l.query_slot[p], h, r0);
    multiply(d, nk, n, turned.q + to, n, as_right(x, rows, nk, xb), nk, dk, ld, true);
    multiply(d, nk, n, turned.dout + to, n, as_right(s, rows, nk, sb), nk, dv, ld, true);
  }

  // score_gradients turns row r of x into scale·dS, that of s into the factor of dO in dV, and sums dw and d‖V‖.
  // With N = A V, m = A‖V‖, O = N/(m+ε): dN = w·dO/(m+ε), dm = −w·⟨dO,O⟩/(m+ε), dw = ⟨dO,O⟩.
  // Σ A·dA = ⟨dN,N⟩ + dm·m is w·⟨dO,O⟩ without the norm, w·⟨dO,O⟩·ε/(m+ε) with it.
  void score_gradients(int64_t p, const Term &t, int64_t r, int64_t nk) {
    C w = f.weights[p], scale = (C)f.l.scale, *a = s + r * nk, *g = x + r * nk;
    if (!t.value_norm) {
      C along = dot(a, g, nk);
      if (dweights) dweights[p] += along;
      return slope_row({scale * w, 0, scale * w * along, w, 0}, a, g, nullptr, nullptr, nk);
    }
    Moments<C> m = moments(a, g, norm, nk);
    C divisor = m.norm + (C)kValueNormEpsilon, along = m.x / divisor, dm = -w * along / divisor;
    if (dweights) dweights[p] += along;
    C inner = w * along * (C)kValueNormEpsilon / divisor;
    slope_row({scale * w / divisor, scale * dm, scale * inner, w / divisor, dm}, a, g, norm, dn, nk);
  }

  void write(const Pair &first, int64_t at, int64_t stride, int64_t nk, S *dk_out, S *dv_out) {
    int64_t d = f.l.dim;
    for (int64_t r = 0; r < first.nk; r++) {
      for (int64_t c = 0; c < d; c++) row[c] = dk[c * nk + r];
      store_row(row, d, dk_out + at + r * stride);
      for (int64_t c = 0; c < d; c++) row[c] = dv[c * nk + r];
      if (norm[r] > 0) { // d‖v‖/dv = v/‖v‖
        pack_rows(f.v + at + r * stride, stride, 1, 1, d, x);
        axpy(dn[r] / norm[r], x, row, d);
      }
      store_row(row, d, dv_out + at + r * stride);
    }
  }
};

} // namespace revela
