#include "shim_rows.hpp"
#include "shim.hpp"
#include "shim_attention_kernel.hpp"
#include "shim_kernels.hpp"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

using at::Tensor;

namespace revela {

namespace {

void *out_of(const Tensor &t) { return t.defined() ? t.mutable_data_ptr() : nullptr; }
const void *in_of(const Tensor &t) { return t.defined() ? t.const_data_ptr() : nullptr; }

// by_heads launches a kernel with a warp for each head of so many rows.
Launch by_heads(const char *kernel, const Tensor &x, int64_t rows, int64_t heads) { return {kernel, x, 1, (rows * heads + 7) / 8}; }

Tensor long_of(const Tensor &t) { return t.to(at::kLong); }

// so_far is what has been summed, in the type of sums; it may be undefined.
Tensor so_far(const Sums &s) { return s.wide.defined() ? s.wide : s.base.defined() ? s.base.to(sum_type(s.base)) : Tensor(); }

// settle makes sum the result, for good or so far.
void settle(Sums &s, const Tensor &sum, at::ScalarType type, bool last) {
  if (last) s.narrow = sum.to(type), s.wide = Tensor();
  else s.wide = sum;
}

// prepare makes room for the result of a kernel, which reads the sum so far while it writes.
void prepare(Sums &s, const Tensor &like, int64_t rows, int64_t heads, int64_t dim, bool last) {
  if (last) s.narrow = at::empty({rows, heads, dim}, like.options());
  else if (!s.wide.defined()) s.wide = at::empty({rows, heads, dim}, like.options().dtype(sum_type(like)));
}

Tensor added(const Tensor &sum, const Places &p, const Tensor &x, int64_t rows) {
  Tensor to = sum.defined() ? sum : at::zeros({rows, x.size(1), x.size(2)}, x.options());
  return p.rows.defined() ? at::index_add(to, 0, long_of(p.rows), x) : to + x;
}

Tensor weights_of(const Weighing &how) { return at::index_select(how.w, 0, long_of(how.pair_of)).view({-1, 1, 1}); }

} // namespace

Tensor spread(const Tensor &x, const Places &p, int64_t width, bool norm) {
  int64_t heads = x.size(1), dim = x.size(2);
  if (!p.rows.defined() && width == dim) return x;
  int64_t places = p.rows.defined() ? p.rows.size(0) : x.size(0);
  if (has_kernels(x)) {
    Tensor y = at::empty({places, heads, width}, x.options());
    by_heads("spread", x, places, heads)(in_of(x), in_of(p.rows), heads, dim, width, (int)norm, places * heads, out_of(y));
    return y;
  }
  std::vector<Tensor> parts{p.rows.defined() ? at::index_select(x, 0, long_of(p.rows)) : x};
  if (norm) parts.push_back(at::norm(parts[0].to(sum_type(x)), 2, {-1}, /*keepdim=*/true).to(x.scalar_type()));
  if (int64_t rest = width - dim - norm) parts.push_back(at::zeros({places, heads, rest}, x.options()));
  return parts.size() > 1 ? at::cat(parts, 2) : parts[0];
}

void collect(Sums &s, const Tensor &part, const Tensor &v, const Places &p, int64_t rows, int64_t dim, bool last) {
  int64_t heads = part.size(1), width = part.size(2);
  if (has_kernels(part)) {
    Tensor before = s.wide;
    prepare(s, part, rows, heads, dim, last);
    by_heads("collect", part, rows, heads)(in_of(part), width, dim, heads, in_of(v), in_of(p.starts), in_of(p.at), in_of(s.base), in_of(before),
                                           rows * heads, last ? out_of(s.narrow) : nullptr, last ? nullptr : out_of(s.wide));
    s.base = Tensor();
    return;
  }
  Tensor wide = part.to(sum_type(part)), sum = added(so_far(s), p, wide.narrow(2, 0, dim), rows);
  if (v.defined()) {
    Tensor of_norm = added({}, p, wide.narrow(2, dim, 1), rows), length = at::norm(v.to(sum_type(v)), 2, {-1}, true);
    sum = sum + at::where(length > 0, of_norm * v / length, at::zeros_like(length));
  }
  settle(s, sum, part.scalar_type(), last);
  s.base = Tensor();
}

void combine(Sums &s, const Tensor &y, const Weighing &how, const Places &p, int64_t rows, int64_t dim, bool last) {
  int64_t heads = y.size(1), width = y.size(2);
  if (has_kernels(y)) {
    Tensor before = s.wide;
    prepare(s, y, rows, heads, dim, last);
    by_heads("combine", y, rows, heads)(in_of(y), width, dim, heads, (int)how.norm, kValueNormEpsilon, in_of(how.w), in_of(how.pair_of),
                                        in_of(p.starts), in_of(p.at), in_of(s.base), in_of(before), rows * heads,
                                        last ? out_of(s.narrow) : nullptr, last ? nullptr : out_of(s.wide));
    s.base = Tensor();
    return;
  }
  Tensor wide = y.to(sum_type(y)), x = wide.narrow(2, 0, dim);
  if (how.norm) x = x / (wide.narrow(2, dim, 1) + kValueNormEpsilon);
  if (how.w.defined()) x = x * weights_of(how);
  settle(s, added(so_far(s), p, x, rows), y.scalar_type(), last);
  s.base = Tensor();
}

CombineGradients combine_backward(const Tensor &dout, const Tensor &y, const Weighing &how, const Places &p) {
  int64_t places = y.size(0), heads = y.size(1), width = y.size(2), dim = dout.size(2);
  CombineGradients g;
  if (has_kernels(y)) {
    auto sums = y.options().dtype(sum_type(y));
    Tensor partial = how.w.defined() ? at::empty({places, heads}, sums) : Tensor();
    g.y = at::empty(y.sizes(), y.options());
    by_heads("combine_back", y, places, heads)(in_of(dout), in_of(y), width, dim, heads, (int)how.norm, kValueNormEpsilon, in_of(how.w),
                                               in_of(how.pair_of), in_of(p.rows), places * heads, out_of(g.y), out_of(partial));
    if (!how.w.defined()) return g;
    g.w = at::empty({how.w.size(0)}, sums);
    Launch{"pair_sums", y, 1, how.w.size(0)}(in_of(partial), in_of(how.starts), heads, out_of(g.w));
    return g;
  }
  Tensor wide = y.to(sum_type(y)), d = (p.rows.defined() ? at::index_select(dout, 0, long_of(p.rows)) : dout).to(wide.scalar_type());
  Tensor x = wide.narrow(2, 0, dim), inverse;
  if (how.norm) inverse = 1 / (wide.narrow(2, dim, 1) + kValueNormEpsilon), x = x * inverse;
  Tensor along = (d * x).sum(2, /*keepdim=*/true); // [places, H, 1]
  if (how.w.defined()) {
    g.w = at::zeros({how.w.size(0)}, along.options()).index_add(0, long_of(how.pair_of), along.sum(1).squeeze(1));
    Tensor w = weights_of(how);
    d = d * w, along = along * w;
  }
  std::vector<Tensor> parts{how.norm ? d * inverse : d};
  if (how.norm) parts.push_back(-along * inverse);
  if (int64_t rest = width - dim - how.norm) parts.push_back(at::zeros({places, heads, rest}, wide.options()));
  g.y = at::cat(parts, 2).to(y.scalar_type());
  return g;
}

} // namespace revela
