// Flash attention over sequences of unequal length, from plain operations.
#include "device.hpp"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <atomic>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/library.h>

using at::Tensor;

namespace fakedevice {
namespace {

std::atomic<int64_t> calls{0};

using Optional = std::optional<Tensor>;
using Integer = std::optional<int64_t>;

// attend returns what q [n, H, D] reads of k, v [m, Hkv, D], one sequence, in fp32.
Tensor attend(Tensor q, Tensor k, Tensor v, bool causal, double scale, Integer left, Integer right) {
  int64_t n = q.size(0), m = k.size(0), group = q.size(1) / k.size(1);
  auto heads_first = [](const Tensor &x, int64_t times) { return x.to(at::kFloat).repeat_interleave(times, 1).transpose(0, 1); };
  Tensor scores = at::matmul(heads_first(q, 1), heads_first(k, group).transpose(1, 2)) * scale;
  Tensor gap = at::arange(n, at::kLong).unsqueeze(1) + (m - n) - at::arange(m, at::kLong).unsqueeze(0); // aligned at the ends
  double none = -std::numeric_limits<double>::infinity();
  if (causal) scores = scores.masked_fill(gap < 0, none);
  if (left && *left >= 0) scores = scores.masked_fill(gap > *left, none);
  if (!causal && right && *right >= 0) scores = scores.masked_fill(gap < -*right, none);
  return at::matmul(at::softmax(scores, -1), heads_first(v, group)).transpose(0, 1).to(q.scalar_type());
}

Tensor all(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &starts_q, const Tensor &starts_k, bool causal,
           double scale, Integer left, Integer right) {
  std::vector<Tensor> parts;
  const int *at_q = starts_q.const_data_ptr<int>(), *at_k = starts_k.const_data_ptr<int>();
  for (int64_t i = 0; i + 1 < starts_q.size(0); i++)
    parts.push_back(attend(q.narrow(0, at_q[i], at_q[i + 1] - at_q[i]), k.narrow(0, at_k[i], at_k[i + 1] - at_k[i]),
                           v.narrow(0, at_k[i], at_k[i + 1] - at_k[i]), causal, scale, left, right));
  return at::cat(parts, 0);
}

// check is what the kernel of libtorch 2.11 demands (mha_varlen_fwd).
void check(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &starts_q, const Tensor &starts_k) {
  TORCH_CHECK(q.scalar_type() == at::kHalf || q.scalar_type() == at::kBFloat16, "flash: fp16 or bf16 expected");
  TORCH_CHECK(q.size(2) % 8 == 0 && q.size(2) <= 256 && q.size(1) % k.size(1) == 0, "flash: q ", q.sizes(), ", k ", k.sizes());
  TORCH_CHECK(k.sizes() == v.sizes() && q.size(2) == k.size(2), "flash: widths of q, k and v differ");
  TORCH_CHECK(q.stride(2) == 1 && k.stride(2) == 1 && v.stride(2) == 1, "flash: rows are not contiguous");
  TORCH_CHECK(starts_q.scalar_type() == at::kInt && starts_q.sizes() == starts_k.sizes(), "flash: starts");
  for (const Tensor &x : {q, k, v, starts_q, starts_k}) TORCH_CHECK(x.device() == q.device(), "flash: tensors on two devices");
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>
forward(const Tensor &q, const Tensor &k, const Tensor &v, const Optional &starts_q, const Optional &starts_k, int64_t max_q,
        int64_t max_k, double dropout, bool causal, bool, std::optional<double> scale, Integer left, Integer right,
        const Optional &, const Optional &) {
  check(q, k, v, *starts_q, *starts_k);
  TORCH_CHECK(dropout == 0 && scale, "flash: no dropout and a scale expected");
  calls++;
  Tensor sq = on_cpu(*starts_q), sk = on_cpu(*starts_k);
  TORCH_CHECK(at::diff(sq).max().item<int>() <= max_q && at::diff(sk).max().item<int>() <= max_k, "flash: longest sequences");
  TORCH_CHECK(sq[-1].item<int>() == q.size(0) && sk[-1].item<int>() == k.size(0), "flash: starts do not end at the rows");
  Tensor out = all(on_cpu(q), on_cpu(k), on_cpu(v), sq, sk, causal, *scale, left, right);
  Tensor rest = on_device(at::zeros({2}, at::kLong));
  return {on_device(out), on_device(at::zeros({q.size(1), q.size(0)})), rest, rest, rest};
}

std::tuple<Tensor, Tensor, Tensor> backward(const Tensor &dout, const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &,
                                            const Tensor &, const Tensor &starts_q, const Tensor &starts_k, int64_t, int64_t,
                                            double, bool causal, const Tensor &, const Tensor &, std::optional<double> scale,
                                            Integer left, Integer right) {
  std::vector<Tensor> leaves;
  for (const Tensor &x : {q, k, v}) leaves.push_back(on_cpu(x).detach().requires_grad_());
  at::AutoGradMode with_grad(true);
  c10::impl::ForceDispatchKeyGuard outside(c10::default_included_set, c10::default_excluded_set); // record again
  Tensor out = all(leaves[0], leaves[1], leaves[2], on_cpu(starts_q), on_cpu(starts_k), causal, *scale, left, right);
  auto d = torch::autograd::grad({out}, leaves, {on_cpu(dout)});
  return {on_device(d[0]), on_device(d[1]), on_device(d[2])};
}

} // namespace

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_flash_attention_forward", &forward);
  m.impl("_flash_attention_backward", &backward);
}

} // namespace fakedevice

extern "C" int64_t revela_fake_flash_calls(void) { return fakedevice::calls; }
