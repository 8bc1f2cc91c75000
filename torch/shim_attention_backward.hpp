// The backward of attention over packed sequences for one key sequence and key head, over all queries that read it.
#pragma once
#include "shim_attention_kernel.hpp"

namespace revela {

template <class S, class E> struct BackwardTask {
  using Forward = Kernel<S, E>;
  using C = typename Forward::C;
  const Forward &f;
  const S *dout;
  const C *lse;
  C *dq;       // [Tq, H, D], the sum of one list of tasks
  C *dweights; // [pairs], likewise; null when not wanted
  bool want_kv;
  std::vector<C> &sums; // room for blocks, as is elements
  std::vector<E> &elements;
  C *s = nullptr, *x = nullptr, *norm = nullptr, *dk = nullptr, *dv = nullptr, *dn = nullptr, *row = nullptr;
  E *sb = nullptr, *xb = nullptr, *qb = nullptr, *gb = nullptr, *tb = nullptr, *kt = nullptr, *vt = nullptr, *kr = nullptr;

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
        for (int64_t r0 = 0; r0 < l.pairs[p].nq; r0 += Forward::rows_at_once) block(p, h, r0, nk);
    if (want_kv) write(first, at, stride, nk, dk_out, dv_out);
  }

private:
  void allocate() {
    int64_t d = f.l.dim, n = f.l.longest_key(), rows = Forward::rows_at_once;
    C *next = room(sums, 2 * (rows + 1) * n + n * (2 * d + 2) + d);
    auto take = [&](int64_t count) { C *at = next; next += count; return at; };
    s = take((rows + 1) * n), x = take((rows + 1) * n), dk = take(2 * n * d), norm = take(n), dn = take(n), row = take(d);
    E *free = room(elements, 2 * (rows + 1) * n + 3 * (rows + 1) * d + 3 * n * d);
    auto take_e = [&](int64_t count) { E *at = free; free += count; return at; };
    sb = take_e((rows + 1) * n), xb = take_e((rows + 1) * n);
    qb = take_e((rows + 1) * d), gb = take_e((rows + 1) * d), tb = take_e((rows + 1) * d);
    kt = take_e(n * d), vt = take_e(n * d), kr = take_e(n * d);
  }

  // block adds the gradients of query rows r0… of pair p and head h. The sums of K and V are transposed, [D, nk]: so both
  // are products with P and dS as B, which are at hand by rows.
  void block(int64_t p, int64_t h, int64_t r0, int64_t ld) {
    const Layout &l = f.l;
    const Pair &pr = l.pairs[p];
    const Term &t = l.term(pr);
    int64_t d = l.dim, rows = std::min(Forward::rows_at_once, pr.nq - r0), nk = f.reach(pr, r0, rows);
    int64_t at = ((pr.q0 + r0) * l.heads + h) * d, stride = l.heads * d;
    Left<E> qa = left(f.q + at, stride, rows, d, qb), ga = left(dout + at, stride, rows, d, gb);
    f.scores(qa, kt, ld, rows, nk, s);
    for (int64_t r = 0; r < rows; r++)
      exp_row(s + r * nk, lse[(l.lse_at[p] + r0 + r) * l.heads + h], t.first(r0 + r), t.end(r0 + r, pr.nk), nk);
    if (Forward::narrow_storage) round_values(s, rows * nk);
    multiply(rows, nk, d, ga.at, ga.stride, vt, ld, x, nk, false); // x = dO Vᵀ
    for (int64_t r = 0; r < rows; r++) score_gradients(p, t, r, nk);
    Left<E> xa = as_left(x, rows, nk, xb);
    multiply(rows, d, nk, xa.at, xa.stride, kr, d, dq + at, stride, true);
    if (!want_kv) return;
    Left<E> qt = transposed(f.q + at, stride, rows, d, tb);
    multiply(d, nk, qt.stride, qt.at, qt.stride, as_right(x, rows, nk, xb), nk, dk, ld, true);
    Left<E> gt = transposed(dout + at, stride, rows, d, tb);
    multiply(d, nk, gt.stride, gt.at, gt.stride, as_right(s, rows, nk, sb), nk, dv, ld, true);
  }

  // score_gradients turns row r of x into scale·dS, that of s into the factor of dO in dV, and sums dw and d‖V‖.
  // With N = A V, m = A‖V‖, O = N/(m+ε): dN = w·dO/(m+ε), dm = −w·⟨dO,O⟩/(m+ε), dw = ⟨dO,O⟩.
  void score_gradients(int64_t p, const Term &t, int64_t r, int64_t nk) {
    C w = f.weights[p], *a = s + r * nk, *g = x + r * nk;
    C along = dot(a, g, nk), divisor = 1, dm = 0; // along = ⟨dO, N⟩
    if (t.value_norm) {
      divisor = dot(a, norm, nk) + (C)kValueNormEpsilon;
      along /= divisor;
      dm = -w * along / divisor;
      axpy(dm, a, dn, nk);
    }
    if (dweights) dweights[p] += along;
    // Σ A·dA = ⟨dN,N⟩ + dm·m: w·⟨dO,O⟩ without the norm, w·⟨dO,O⟩·ε/(m+ε) with it
    C inner = t.value_norm ? w * along * (C)kValueNormEpsilon / divisor : w * along, scale = (C)f.l.scale;
    score_gradient_row(a, t.value_norm ? norm : nullptr, scale * w / divisor, scale * dm, scale * inner, g, nk);
    if (w != divisor) scale_row(w / divisor, a, nk);
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
