// What flash attention over packed rows needs around libtorch's kernel: rows gathered into places, their value norms beside them, and
// what the places' results and gradients add to the rows. Our own kernels where the device has them, else libtorch's operations.
//
// A place is a row of a query or a key in one of the pairs that read it. Its columns [H, W] are the row's [H, D], W ≥ D, then, with a
// norm, ‖row‖ of each head, then zeros.
#pragma once
#include <ATen/core/Tensor.h>

namespace revela {

// Places says which rows lie in which places; int32, on the device. None are defined where every row is its own place.
struct Places {
  at::Tensor rows;       // [places]: the row of a place
  at::Tensor starts, at; // [T+1], [places]: the places of row t are at[starts[t]] … at[starts[t+1]−1]
};

// Sums are what is summed to a result: base is the first summand and narrow the result in the type of rows, or wide, in fp32 (fp64 for
// fp64), is the sum so far. One of narrow and wide is defined after a call; base may be undefined.
struct Sums {
  at::Tensor base, wide, narrow;
};

// spread is x [T, H, D] by places, [places, H, W].
at::Tensor spread(const at::Tensor &x, const Places &p, int64_t width, bool norm);

// collect adds to the rows [T, H, D] of s the columns of their places, of part [places, H, W]; where v [T, H, D] is defined also the
// gradient that the norms' column passes to it. last says that nothing more is to be added.
void collect(Sums &s, const at::Tensor &part, const at::Tensor &v, const Places &p, int64_t rows, int64_t dim, bool last);

// Weighing is how places of queries add up to results: w [pairs] of the places' pairs (undefined: 1) times y, which is divided by the
// norms' column plus kValueNormEpsilon where there is one.
struct Weighing {
  at::Tensor w, pair_of;        // pair_of int32 [places]
  at::Tensor starts;            // int32 [pairs+1]: places of a pair lie together
  bool norm;
};

// combine adds to the rows of s what y [places, H, W] gives them.
void combine(Sums &s, const at::Tensor &y, const Weighing &how, const Places &p, int64_t rows, int64_t dim, bool last);

struct CombineGradients { at::Tensor y, w; }; // w [pairs] where there are weights
CombineGradients combine_backward(const at::Tensor &dout, const at::Tensor &y, const Weighing &how, const Places &p);

} // namespace revela
