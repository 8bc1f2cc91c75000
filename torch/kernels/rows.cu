// The rows of flash attention (shim_rows.hpp): a warp for each of count heads of rows or places, whose columns are taken lane by lane.

template <class C> __device__ inline C warp_sum(C x) {
  for (int at = 16; at > 0; at /= 2) x += __shfl_xor_sync(~0u, x, at);
  return x;
}

__device__ inline i64 warp() { return (blockIdx.x * (i64)blockDim.x + threadIdx.x) / 32; } // of all
__device__ inline int lane() { return threadIdx.x % 32; }

template <class S> __device__ void spread(const S *x, const int *rows, i64 heads, i64 dim, i64 width, int norm, i64 count, S *y) {
  typedef typename sum_of<S>::type C;
  i64 unit = warp();
  if (unit >= count) return;
  i64 place = unit / heads, row = rows ? rows[place] : place;
  x += (row * heads + unit % heads) * dim, y += unit * width;
  C sum = 0;
  for (i64 c = lane(); c < dim; c += 32) {
    S e = x[c];
    sum += load(e) * load(e), y[c] = e;
  }
  C length = norm ? sqrt(warp_sum(sum)) : C(0);
  for (i64 c = dim + lane(); c < width; c += 32) store(y[c], c == dim ? length : C(0));
}

// Sum of a head's column c over the row's places, added to what is there.
template <class S, class C, class F>
__device__ void sum_places(i64 unit, i64 dim, const int *starts, const int *at, const S *base, const C *wide, S *to, C *to_wide, F of_place) {
  i64 row = of_place.row;
  for (i64 c = lane(); c < dim; c += 32) {
    C sum = base ? load(base[unit * dim + c]) : wide ? wide[unit * dim + c] : C(0);
    if (starts)
      for (int i = starts[row]; i < starts[row + 1]; i++) sum += of_place(at[i], c);
    else sum += of_place(row, c);
    if (to) store(to[unit * dim + c], of_place.last(sum, c));
    else to_wide[unit * dim + c] = of_place.last(sum, c);
  }
}

template <class S, class C> struct Collected {
  const S *part, *v; // of the head
  i64 row, heads, width;
  C factor;
  __device__ C operator()(i64 place, i64 c) const { return load(part[place * heads * width + c]); }
  __device__ C last(C sum, i64 c) const { return v ? sum + factor * load(v[c]) : sum; }
};

template <class S, class C>
__device__ void collect(const S *part, i64 width, i64 dim, i64 heads, const S *v, const int *starts, const int *at, const S *base,
                        const C *wide, i64 count, S *to, C *to_wide) {
  i64 unit = warp();
  if (unit >= count) return;
  i64 row = unit / heads;
  Collected<S, C> f{part + unit % heads * width, v ? v + unit * dim : nullptr, row, heads, width, 0};
  if (v) { // the norms' column, over the length of v
    C squares = 0, sum = 0;
    for (i64 c = lane(); c < dim; c += 32) squares += load(f.v[c]) * load(f.v[c]);
    squares = warp_sum(squares);
    if (starts)
      for (int i = starts[row]; i < starts[row + 1]; i++) sum += f(at[i], dim);
    else sum = f(row, dim);
    f.factor = squares > 0 ? sum / sqrt(squares) : C(0);
  }
  sum_places<S, C>(unit, dim, starts, at, base, wide, to, to_wide, f);
}

template <class S, class C> struct Combined {
  const S *y; // of the head
  i64 row, heads, width, dim;
  int norm;
  C epsilon;
  const C *w;
  const int *pair_of;
  __device__ C operator()(i64 place, i64 c) const {
    const S *x = y + place * heads * width;
    C value = load(x[c]);
    if (norm) value /= load(x[dim]) + epsilon;
    return w ? value * w[pair_of[place]] : value;
  }
  __device__ C last(C sum, i64) const { return sum; }
};

template <class S, class C>
__device__ void combine(const S *y, i64 width, i64 dim, i64 heads, int norm, double epsilon, const C *w, const int *pair_of, const int *starts,
                        const int *at, const S *base, const C *wide, i64 count, S *to, C *to_wide) {
  i64 unit = warp();
  if (unit >= count) return;
  Combined<S, C> f{y + unit % heads * width, unit / heads, heads, width, dim, norm, (C)epsilon, w, pair_of};
  sum_places<S, C>(unit, dim, starts, at, base, wide, to, to_wide, f);
}

template <class S, class C>
__device__ void combine_back(const S *dout, const S *y, i64 width, i64 dim, i64 heads, int norm, double epsilon, const C *w,
                             const int *pair_of, const int *rows, i64 count, S *dy, C *partial) {
  i64 unit = warp();
  if (unit >= count) return;
  i64 place = unit / heads, row = rows ? rows[place] : place;
  dout += (row * heads + unit % heads) * dim, y += unit * width, dy += unit * width;
  C inverse = norm ? 1 / (load(y[dim]) + (C)epsilon) : C(1), weight = w ? w[pair_of[place]] : C(1), along = 0;
  for (i64 c = lane(); c < dim; c += 32) {
    C d = load(dout[c]);
    along += d * load(y[c]);
    store(dy[c], d * weight * inverse);
  }
  along = warp_sum(along) * inverse;
  for (i64 c = dim + lane(); c < width; c += 32) store(dy[c], c == dim && norm ? -weight * along * inverse : C(0));
  if (partial && lane() == 0) partial[unit] = along;
}

// A block for each pair sums what its places have, head by head.
template <class C> __device__ void pair_sums(const C *partial, const int *starts, i64 heads, C *dw) {
  C sum = 0;
  for (i64 i = starts[blockIdx.x] * heads + threadIdx.x; i < starts[blockIdx.x + 1] * heads; i += blockDim.x) sum += partial[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) dw[blockIdx.x] = sum;
}

#define REVELA_ROWS(S, C)                                                                                                      \
  extern "C" __global__ void spread_one(const S *x, const int *rows, i64 heads, i64 dim, i64 width, int norm, i64 count, S *y) { \
    spread<S>(x, rows, heads, dim, width, norm, count, y);                                                                     \
  }                                                                                                                            \
  extern "C" __global__ void collect_one(const S *part, i64 width, i64 dim, i64 heads, const S *v, const int *starts,          \
                                         const int *at, const S *base, const C *wide, i64 count, S *to, C *to_wide) {          \
    collect<S, C>(part, width, dim, heads, v, starts, at, base, wide, count, to, to_wide);                                     \
  }                                                                                                                            \
  extern "C" __global__ void combine_one(const S *y, i64 width, i64 dim, i64 heads, int norm, double epsilon, const C *w,      \
                                         const int *pair_of, const int *starts, const int *at, const S *base, const C *wide,   \
                                         i64 count, S *to, C *to_wide) {                                                       \
    combine<S, C>(y, width, dim, heads, norm, epsilon, w, pair_of, starts, at, base, wide, count, to, to_wide);                \
  }                                                                                                                            \
  extern "C" __global__ void combine_back_one(const S *dout, const S *y, i64 width, i64 dim, i64 heads, int norm, double epsilon, \
                                              const C *w, const int *pair_of, const int *rows, i64 count, S *dy, C *partial) { \
    combine_back<S, C>(dout, y, width, dim, heads, norm, epsilon, w, pair_of, rows, count, dy, partial);                       \
  }                                                                                                                            \
  extern "C" __global__ void pair_sums_one(const C *partial, const int *starts, i64 heads, C *dw) {                            \
    pair_sums<C>(partial, starts, heads, dw);                                                                                  \
  }
