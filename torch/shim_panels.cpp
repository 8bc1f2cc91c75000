#include "shim_panels.hpp"
#include "shim.h"
#include "shim.hpp"
#include "shim_attention_kernel.hpp"
#include "shim_bf16.hpp"
#include "shim_gemm.hpp"
#include "shim_turns.hpp"
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>

using at::Tensor;

namespace revela {

namespace {

constexpr int64_t kPanel = 64;   // outputs of a panel, at most
constexpr int64_t kRows = 32;    // rows of a block: its sums stay in the nearest cache
template <class E> constexpr int64_t kDepth = 4096 / sizeof(E); // inputs that are summed at a time: a panel's share stays in the second cache

// Factor is one of the products that are summed: rows [T, k] and panels of k inputs, of elements E.
template <class E> struct Factor {
  const E *x, *panels;
  int64_t k;
};

// Finish is what happens to the sums of a block before they are stored.
template <class E> struct Finish {
  const float *bias = nullptr;
  const E *onto = nullptr;
  bool after = false;
  float scale = 1;
};

// Block is a part of a result: rows of a panel's outputs, its sums at c[rows][width].
struct Block {
  float *c;
  int64_t row, rows, column, width;
};

REVELA_CLONES static void multiply_by(float scale, float *c, int64_t n) {
  for (int64_t i = 0; i < n; i++) c[i] *= scale;
}
REVELA_CLONES static void add_bias(float *c, int64_t rows, int64_t width, const float *bias) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t j = 0; j < width; j++) c[r * width + j] += bias[j];
}

template <class E> void finish(const Block &b, const Finish<E> &how, E *y, int64_t stride) {
  int64_t n = b.rows * b.width, at = b.row * stride + b.column;
  if (how.scale != 1) multiply_by(how.scale, b.c, n);
  if (how.bias) add_bias(b.c, b.rows, b.width, how.bias + b.column);
  put_sums(b.c, b.rows, b.width, how.onto ? how.onto + at : nullptr, how.after, y + at, stride);
}

// sum_block makes a block the sum of the products over all factors.
template <class E> void sum_block(const std::vector<Factor<E>> &factors, const Block &b) {
  bool add = false;
  for (const Factor<E> &f : factors) {
    const E *panel = f.panels + b.column * f.k;
    for (int64_t k = 0; k < f.k; k += kDepth<E>, add = true)
      multiply(b.rows, b.width, std::min(kDepth<E>, f.k - k), f.x + b.row * f.k + k, f.k, panel + k * b.width, b.width, b.c, b.width,
               add);
  }
}

// multiply_panels writes y [rows, out], from panels of width outputs.
template <class E>
void multiply_panels(const std::vector<Factor<E>> &factors, int64_t rows, int64_t out, int64_t width, const Finish<E> &how, E *y) {
  RECORD_FUNCTION(width == kPanel ? "revela::panels" : "revela::lower", std::vector<c10::IValue>());
  int64_t blocks = (rows + kRows - 1) / kRows, panels = out / width, enough = 1 << 20; // multiplications for a thread
  int64_t tasks = blocks * panels, grain = std::max<int64_t>(1, enough / (kRows * width * factors[0].k));
  take_turns(tasks, /*few=*/4, (tasks + grain - 1) / grain, [&](int64_t begin, int64_t end) {
    alignas(64) float c[kRows * kPanel];
    for (int64_t i = begin; i < end; i++) { // all rows of a panel in turn: it is read from memory once
      int64_t row = i % blocks * kRows;
      Block b{c, row, std::min(kRows, rows - row), i / blocks * width, width};
      sum_block(factors, b);
      finish(b, how, y, out);
    }
  });
}

// fill_panel writes the inputs of a panel's outputs, of bf16 in pairs; w is read at w[output · across + input · along].
REVELA_CLONES static void fill_panel(const bf16 *w, int64_t across, int64_t along, int64_t in, int64_t width, bf16 *panel) {
  auto *from = (const uint16_t *)w;
  auto *to = (uint32_t *)panel;
  for (int64_t i = 0; i < in; i += 2, to += width)
    for (int64_t o = 0; o < width; o++) to[o] = from[o * across + i * along] | (uint32_t)from[o * across + (i + 1) * along] << 16;
}
REVELA_CLONES static void fill_panel(const float *w, int64_t across, int64_t along, int64_t in, int64_t width, float *to) {
  for (int64_t i = 0; i < in; i++, to += width)
    for (int64_t o = 0; o < width; o++) to[o] = w[o * across + i * along];
}

// lay_out makes panels of width outputs of w [out, in], of any strides.
template <class E> Tensor lay_out(const Tensor &w, int64_t width) {
  constexpr int64_t together = std::is_same_v<E, bf16> ? 2 : 1; // inputs of an output that lie side by side
  int64_t out = w.size(0), in = w.size(1), across = w.stride(0), along = w.stride(1);
  Tensor panels = at::empty({out / width, in / together, together * width}, w.options().memory_format(at::MemoryFormat::Contiguous));
  auto *from = w.const_data_ptr<E>();
  auto *to = panels.mutable_data_ptr<E>();
  int64_t grain = std::max<int64_t>(1, (1 << 15) / (width * in));
  at::parallel_for(0, out / width, grain, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; p++) fill_panel(from + p * width * across, across, along, in, width, to + p * width * in);
  });
  return panels;
}

template <class E>
void multiply_by_panels(const Tensor &x, const Tensor &panels, const Tensor &bias, const LowRank &low, const Onto &onto, Tensor &out) {
  Tensor dense = x.contiguous(), half, beside, added = onto.t.defined() ? onto.t.contiguous() : Tensor();
  Tensor wide = bias.defined() ? bias.to(at::kFloat).contiguous() : Tensor();
  std::vector<Factor<E>> factors{{dense.const_data_ptr<E>(), panels.const_data_ptr<E>(), x.size(1)}};
  if (low.x.defined()) {
    bool odd = std::is_same_v<E, bf16> && low.x.size(1) % 2; // panels of bf16 hold pairs
    half = odd ? at::constant_pad_nd(low.x, {0, 1}) : low.x.contiguous();
    beside = lay_out<E>(odd ? at::constant_pad_nd(low.w, {0, 1}) : low.w, kPanel);
    factors.push_back({half.const_data_ptr<E>(), beside.const_data_ptr<E>(), half.size(1)});
  }
  Finish<E> how{wide.defined() ? wide.const_data_ptr<float>() : nullptr, added.defined() ? added.const_data_ptr<E>() : nullptr,
                onto.after};
  multiply_panels<E>(factors, x.size(0), out.size(1), kPanel, how, out.mutable_data_ptr<E>());
}

template <class E> Tensor lower_by_panels(const Tensor &x, const Tensor &a, double scale, int64_t width) {
  Tensor rows = x.contiguous(), panels = lay_out<E>(a, width), y = at::empty({x.size(0), a.size(0)}, rows.options());
  Finish<E> how;
  how.scale = (float)scale;
  multiply_panels<E>({{rows.const_data_ptr<E>(), panels.const_data_ptr<E>(), x.size(1)}}, x.size(0), a.size(0), width, how,
                     y.mutable_data_ptr<E>());
  return y;
}

} // namespace

bool multiplies_bf16(const Tensor &t) { return t.is_cpu() && t.dim() == 2 && t.scalar_type() == at::kBFloat16 && multiplies_bf16(); }

bool multiplies_fp32(const Tensor &t) { return t.is_cpu() && t.dim() == 2 && t.scalar_type() == at::kFloat && multiplies_fp32(); }

bool can_panel(const Tensor &w) { return (multiplies_bf16(w) || multiplies_fp32(w)) && w.size(0) % kPanel == 0 && w.size(1) % kPanel == 0; }

bool is_panels(const Tensor &w) { return w.dim() == 3; }

Tensor to_panels(const Tensor &w) { return w.scalar_type() == at::kFloat ? lay_out<float>(w, kPanel) : lay_out<bf16>(w, kPanel); }

int64_t panel_outputs(const Tensor &panels) { return panels.size(0) * kPanel; }
int64_t panel_inputs(const Tensor &panels) { return panels.size(1) * (panels.size(2) / kPanel); }

Tensor from_panels(const Tensor &panels) {
  int64_t out = panel_outputs(panels), in = panel_inputs(panels), together = panels.size(2) / kPanel;
  return panels.view({out / kPanel, in / together, kPanel, together}).permute({0, 2, 1, 3}).reshape({out, in});
}

Tensor panel_product(const Tensor &x, const Tensor &panels, const Tensor &bias, const LowRank &low, const Onto &onto, Tensor out) {
  TORCH_CHECK(x.scalar_type() == panels.scalar_type() && x.size(1) == panel_inputs(panels), "linear: rows of ", x.scalar_type(), " ",
              x.sizes(), " and a weight in panels of ", panels.scalar_type(), " [", panel_outputs(panels), ", ", panel_inputs(panels), "]");
  if (!out.defined()) out = at::empty({x.size(0), panel_outputs(panels)}, x.options());
  TORCH_CHECK(out.is_contiguous(), "linear: the sum of strides ", out.strides(), " is not contiguous");
  if (x.scalar_type() == at::kFloat) multiply_by_panels<float>(x, panels, bias, low, onto, out);
  else multiply_by_panels<bf16>(x, panels, bias, low, onto, out);
  return out;
}

Tensor lower(const Tensor &x, const Tensor &a, double scale) {
  int64_t rank = a.size(0), width = std::min(rank, kPanel);
  if (rank % width == 0 && multiplies_bf16(x) && x.size(1) % 2 == 0) return lower_by_panels<bf16>(x, a, scale, width);
  constexpr int64_t few = 32; // ranks up to here; libtorch's product of fp32 is good at more
  if (rank <= few && multiplies_fp32(x)) return lower_by_panels<float>(x, a, scale, width);
  return x.is_cpu() ? at::mm(x, a.t()).mul_(scale) : multiplied({x}, {a, true}, scale);
}

} // namespace revela

using namespace revela;

char *revela_panels(void *w, int transposed, void **out) {
  return guard([&] {
    bool can = can_panel(T(w));
    *out = can ? release(to_panels(transposed ? T(w).t() : T(w))) : nullptr;
  });
}
