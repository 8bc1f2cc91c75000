// The loops of shim_fused.cpp, shim_dropout.cpp and shim_loss.cpp for NVIDIA's GPUs. The program compiles this text, rows.cu behind it,
// when it first needs a kernel, for the GPU that it runs on (shim_kernels.cpp); so it includes nothing.
//
// It is compiled for one type of elements, S, at a time, whose sums are of type C: fp32, fp64 for fp64. Of every kernel there are two,
// name_pack, whose threads take N elements at a time, 16 bytes, and name_one for rows that do not allow it. Results are rounded where
// the CPU's loops round.

typedef long long i64;
typedef unsigned u32;

struct bf16 { unsigned short bits; };

__device__ inline float load(float x) { return x; }
__device__ inline double load(double x) { return x; }
__device__ inline float load(bf16 x) { return __uint_as_float((u32)x.bits << 16); }

__device__ inline void store(float &to, float x) { to = x; }
__device__ inline void store(double &to, double x) { to = x; }
__device__ inline void store(bf16 &to, float x) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(x)); }

template <class S, class C> __device__ inline C rounded(C x) {
  S s;
  store(s, x);
  return load(s);
}

template <class S> struct sum_of { typedef float type; };
template <> struct sum_of<double> { typedef double type; };

__device__ inline float exp_of(float x) { return __expf(x); }
__device__ inline double exp_of(double x) { return exp(x); }
__device__ inline float log_of(float x) { return logf(x); }
__device__ inline double log_of(double x) { return log(x); }

// Pack is what a thread reads or writes at once.
template <class S, int N> struct alignas(N * sizeof(S)) Pack { S v[N]; };

template <int N, class S> __device__ inline Pack<S, N> read(const S *from, i64 i) { return reinterpret_cast<const Pack<S, N> *>(from)[i]; }
template <int N, class S> __device__ inline void write(S *to, i64 i, const Pack<S, N> &p) { reinterpret_cast<Pack<S, N> *>(to)[i] = p; }

// block_sum is the sum of x over a block's threads, known to all of them.
template <class C> __device__ inline C block_sum(C x) {
  __shared__ C parts[32];
  for (int at = 16; at > 0; at /= 2) x += __shfl_xor_sync(~0u, x, at);
  __syncthreads(); // parts of an earlier sum have been read
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  __syncthreads();
  C sum = 0;
  for (int i = 0; i < (blockDim.x + 31) / 32; i++) sum += parts[i];
  return sum;
}

// --- RMSNorm, a block for each row of n packs ---

template <class S, int N>
__device__ void rms_norm(const S *x, const S *w, double eps, i64 n, S *y, typename sum_of<S>::type *inverse) {
  typedef typename sum_of<S>::type C;
  i64 row = blockIdx.x;
  x += row * n * N, y += row * n * N;
  C sum = 0;
  for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
    auto p = read<N>(x, i);
    for (int j = 0; j < N; j++) sum += load(p.v[j]) * load(p.v[j]);
  }
  C r = 1 / sqrt(block_sum(sum) / (n * N) + (C)eps);
  for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
    auto p = read<N>(x, i), f = read<N>(w, i);
    for (int j = 0; j < N; j++) store(p.v[j], rounded<S>(load(p.v[j]) * r) * load(f.v[j]));
    write<N>(y, i, p);
  }
  if (threadIdx.x == 0) inverse[row] = r;
}

// dx = r·(g·w − x·r²·mean(g·w·x)), to which onto is added where it is there
template <class S, int N>
__device__ void rms_norm_back(const S *g, const S *x, const S *w, const typename sum_of<S>::type *inverse, const S *onto, i64 n, S *dx) {
  typedef typename sum_of<S>::type C;
  i64 row = blockIdx.x, at = row * n * N;
  g += at, x += at, dx += at;
  C r = inverse[row], sum = 0;
  for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
    auto a = read<N>(g, i), p = read<N>(x, i), f = read<N>(w, i);
    for (int j = 0; j < N; j++) sum += load(a.v[j]) * load(f.v[j]) * load(p.v[j]);
  }
  C k = block_sum(sum) * r * r / (n * N);
  for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
    auto a = read<N>(g, i), p = read<N>(x, i), f = read<N>(w, i);
    for (int j = 0; j < N; j++) store(p.v[j], r * (load(a.v[j]) * load(f.v[j]) - load(p.v[j]) * k));
    if (onto) {
      auto o = read<N>(onto + at, i);
      for (int j = 0; j < N; j++) store(p.v[j], load(p.v[j]) + load(o.v[j]));
    }
    write<N>(dx, i, p);
  }
}

// --- rotary position embedding of x [T, H, D], a thread for each pack of a half row; cos and sin are fp32 [T, D/2] ---

template <class S, int N> __device__ void rope(const S *x, const float *cos, const float *sin, double sign, i64 heads, i64 half, i64 count, S *y) {
  typedef typename sum_of<S>::type C;
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += gridDim.x * (i64)blockDim.x) {
    i64 row = i / half, c = i % half, t = row / heads; // of packs
    auto a = read<N>(x, row * 2 * half + c), b = read<N>(x, (row * 2 + 1) * half + c);
    for (int j = 0; j < N; j++) {
      i64 at = (t * half + c) * N + j;
      C co = rounded<S>((C)cos[at]), si = (C)sign * rounded<S>((C)sin[at]), u = load(a.v[j]), v = load(b.v[j]);
      store(a.v[j], rounded<S>(u * co) - rounded<S>(v * si));
      store(b.v[j], rounded<S>(v * co) + rounded<S>(u * si));
    }
    write<N>(y, row * 2 * half + c, a), write<N>(y, (row * 2 + 1) * half + c, b);
  }
}

// --- SwiGLU: silu(gate) · up, of count packs ---

template <class S, int N> __device__ void swiglu(const S *gate, const S *up, i64 count, S *y) {
  typedef typename sum_of<S>::type C;
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += gridDim.x * (i64)blockDim.x) {
    auto g = read<N>(gate, i), u = read<N>(up, i);
    for (int j = 0; j < N; j++) {
      C a = load(g.v[j]);
      store(g.v[j], rounded<S>(a / (1 + exp_of(-a))) * load(u.v[j]));
    }
    write<N>(y, i, g);
  }
}

template <class S, int N> __device__ void swiglu_back(const S *grad, const S *gate, const S *up, i64 count, S *dgate, S *dup) {
  typedef typename sum_of<S>::type C;
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += gridDim.x * (i64)blockDim.x) {
    auto d = read<N>(grad, i), g = read<N>(gate, i), u = read<N>(up, i);
    for (int j = 0; j < N; j++) {
      C a = load(g.v[j]), s = 1 / (1 + exp_of(-a)), e = load(d.v[j]);
      store(g.v[j], e * load(u.v[j]) * s * (1 + a * (1 - s)));
      store(u.v[j], e * a * s);
    }
    write<N>(dgate, i, g), write<N>(dup, i, u);
  }
}

// --- dropout; see shim_dropout.cpp ---

__device__ inline u32 mix(u32 x, u32 low, u32 high) {
  x = (x ^ low) * high;
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

template <class S, int N>
__device__ void drop(const S *x, u32 start, u32 low, u32 high, u32 least, double scale, int add, i64 count, S *y) {
  typedef typename sum_of<S>::type C;
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += gridDim.x * (i64)blockDim.x) {
    auto p = read<N>(x, i), q = p;
    if (add) q = read<N>(y, i);
    for (int j = 0; j < N; j++) {
      C v = mix(start + (u32)(i * N + j), low, high) >= least ? load(p.v[j]) * (C)scale : C(0);
      store(p.v[j], add ? load(q.v[j]) + v : v);
    }
    write<N>(y, i, p);
  }
}

// --- cross entropy, a block for each row of n packs: loss = −log softmax(x)[label]; with scale > 0, x becomes its gradient ---

template <class S, int N> __device__ void entropy(S *x, const i64 *labels, double scale, i64 n, double *losses) {
  typedef typename sum_of<S>::type C;
  __shared__ C tops[32];
  i64 row = blockIdx.x, label = labels[row];
  x += row * n * N;
  C top = -1e30, sum = 0;
  for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
    auto p = read<N>(x, i);
    C most = top, part = 0;
    for (int j = 0; j < N; j++) most = load(p.v[j]) > most ? load(p.v[j]) : most;
    for (int j = 0; j < N; j++) part += exp_of(load(p.v[j]) - most);
    sum = sum * exp_of(top - most) + part, top = most;
  }
  C most = top;
  for (int at = 16; at > 0; at /= 2) {
    C other = __shfl_xor_sync(~0u, most, at);
    most = other > most ? other : most;
  }
  if (threadIdx.x % 32 == 0) tops[threadIdx.x / 32] = most;
  __syncthreads();
  for (int i = 0; i < blockDim.x / 32; i++) most = tops[i] > most ? tops[i] : most;
  sum = block_sum(sum * exp_of(top - most));
  C at_label = load(x[label]);
  __syncthreads(); // before it is written
  if (threadIdx.x == 0) losses[row] = most + log_of(sum) - at_label;
  if (!(scale > 0)) return;
  C factor = (C)scale / sum;
  for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
    auto p = read<N>(x, i);
    for (int j = 0; j < N; j++) store(p.v[j], factor * exp_of(load(p.v[j]) - most) - (i * N + j == label ? (C)scale : C(0)));
    write<N>(x, i, p);
  }
}

#define REVELA_KERNELS(S, C, N, suffix)                                                                                        \
  extern "C" __global__ void rms_norm_##suffix(const S *x, const S *w, double eps, i64 n, S *y, C *inverse) {                  \
    rms_norm<S, N>(x, w, eps, n, y, inverse);                                                                                  \
  }                                                                                                                            \
  extern "C" __global__ void rms_norm_back_##suffix(const S *g, const S *x, const S *w, const C *inverse, const S *onto, i64 n, S *dx) { \
    rms_norm_back<S, N>(g, x, w, inverse, onto, n, dx);                                                                        \
  }                                                                                                                            \
  extern "C" __global__ void rope_##suffix(const S *x, const float *cos, const float *sin, double sign, i64 heads, i64 half,   \
                                           i64 count, S *y) {                                                                  \
    rope<S, N>(x, cos, sin, sign, heads, half, count, y);                                                                      \
  }                                                                                                                            \
  extern "C" __global__ void swiglu_##suffix(const S *gate, const S *up, i64 count, S *y) { swiglu<S, N>(gate, up, count, y); } \
  extern "C" __global__ void swiglu_back_##suffix(const S *d, const S *gate, const S *up, i64 count, S *dgate, S *dup) {       \
    swiglu_back<S, N>(d, gate, up, count, dgate, dup);                                                                         \
  }                                                                                                                            \
  extern "C" __global__ void drop_##suffix(const S *x, u32 start, u32 low, u32 high, u32 least, double scale, int add,         \
                                           i64 count, S *y) {                                                                  \
    drop<S, N>(x, start, low, high, least, scale, add, count, y);                                                              \
  }                                                                                                                            \
  extern "C" __global__ void entropy_##suffix(S *x, const i64 *labels, double scale, i64 n, double *losses) {                  \
    entropy<S, N>(x, labels, scale, n, losses);                                                                                \
  }
