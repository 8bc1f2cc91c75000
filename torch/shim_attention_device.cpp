// The attention of shim_attention.cpp from libtorch's own operations, for devices without that file's kernels. Pairs are
// worked on in slices of bounded memory, a slice either by
//
//   - flash attention over sequences of unequal length, where the device has it: no padding, no scores in memory. The norm
//     of each value rides along as one more column of the values, so that the kernel's output holds A V and A ‖V‖;
//   - or batched products over sequences padded to the slice's longest, scores and all.
//
// Slices are computed again in backward, so that memory grows with tokens and not with pairs × length².
#include "shim_attention_kernel.hpp"
#include "shim_device.hpp"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>
#include <deque>
#include <mutex>
#include <sstream>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using namespace revela;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr int64_t kScores = int64_t(1) << 25; // elements of a slice's scores: 128 MiB in fp32
constexpr int64_t kRows = int64_t(1) << 16;   // query or key rows of a slice of flash attention

// Slice is a run of pairs with what is needed of them on the device.
struct Slice {
  int64_t first, pairs, nq, nk;         // pairs [first, first+pairs), their longest query and key
  Tensor q_rows, k_rows;                // rows of q and k to gather; undefined: all, as they lie
  Tensor out_rows;                      // rows of the result that the query rows belong to; undefined: all, as they lie
  Tensor pair_of;                       // flash: pair of each query row, counted from first
  Tensor starts_q, starts_k;            // flash: int32 [pairs+1]
  Tensor filled;                        // padded: positions in [pairs·nq] that are no padding; undefined: all
  Tensor masked;                        // padded: bool [pairs, 1, 1, nq or 1, nk]; undefined: nothing is
};

struct Plan : torch::CustomClassHolder {
  int64_t tq, tk, heads, kv_heads, dim, window;
  bool causal, value_norm, weighted, flash;
  double scale;
  at::ScalarType type;                  // of the tensors
  at::ScalarType sums;                  // of sums
  std::vector<Slice> slices;
};

Tensor on_device(const std::vector<int64_t> &values, const Tensor &like, at::ScalarType type) {
  auto options = at::TensorOptions(at::kLong);
  if (!like.is_cuda()) return at::tensor(values, options).to(like.device(), type);
  return at::tensor(values, options).to(type).pin_memory().to(like.device(), /*non_blocking=*/true);
}

// as_they_lie reports whether rows are 0 … total−1: then there is nothing to gather.
bool as_they_lie(const std::vector<int64_t> &rows, int64_t total) {
  if ((int64_t)rows.size() != total) return false;
  for (int64_t i = 0; i < total; i++)
    if (rows[i] != i) return false;
  return true;
}

Tensor gathered_by(const std::vector<int64_t> &rows, int64_t total, const Tensor &like) {
  return as_they_lie(rows, total) ? Tensor() : on_device(rows, like, at::kLong);
}

Slice flash_slice(const Plan &plan, const Pair *pairs, Slice s, const Tensor &q) {
  std::vector<int64_t> q_rows, k_rows, pair_of, starts_q{0}, starts_k{0};
  for (int64_t p = 0; p < s.pairs; p++) {
    for (int64_t r = 0; r < pairs[p].nq; r++) q_rows.push_back(pairs[p].q0 + r), pair_of.push_back(p);
    for (int64_t r = 0; r < pairs[p].nk; r++) k_rows.push_back(pairs[p].k0 + r);
    starts_q.push_back(q_rows.size()), starts_k.push_back(k_rows.size());
  }
  s.q_rows = gathered_by(q_rows, plan.tq, q), s.k_rows = gathered_by(k_rows, plan.tk, q);
  s.out_rows = s.q_rows;
  s.pair_of = on_device(pair_of, q, at::kLong);
  s.starts_q = on_device(starts_q, q, at::kInt), s.starts_k = on_device(starts_k, q, at::kInt);
  return s;
}

Slice padded_slice(const Plan &plan, const Pair *pairs, Slice s, const Tensor &q) {
  std::vector<int64_t> q_rows, k_rows, out_rows, filled, lengths;
  for (int64_t p = 0; p < s.pairs; p++) {
    for (int64_t r = 0; r < s.nq; r++) {
      q_rows.push_back(pairs[p].q0 + std::min(r, pairs[p].nq - 1)); // padding repeats the last row
      if (r < pairs[p].nq) out_rows.push_back(pairs[p].q0 + r), filled.push_back(p * s.nq + r);
    }
    for (int64_t r = 0; r < s.nk; r++) k_rows.push_back(pairs[p].k0 + std::min(r, pairs[p].nk - 1));
    lengths.push_back(pairs[p].nk);
  }
  s.q_rows = gathered_by(q_rows, plan.tq, q), s.k_rows = gathered_by(k_rows, plan.tk, q);
  s.out_rows = gathered_by(out_rows, plan.tq, q);
  if (filled.size() < q_rows.size()) s.filled = on_device(filled, q, at::kLong);
  auto options = q.options().dtype(at::kLong);
  Tensor column = at::arange(s.nk, options), row = at::arange(s.nq, options).unsqueeze(1);
  if (std::any_of(lengths.begin(), lengths.end(), [&](int64_t n) { return n < s.nk; }))
    s.masked = column >= on_device(lengths, q, at::kLong).view({s.pairs, 1, 1, 1, 1});
  auto also = [&](const Tensor &m) { s.masked = s.masked.defined() ? s.masked | m : m; };
  if (plan.causal) also(column > row);
  if (plan.window > 0) also(row - column >= plan.window);
  return s;
}

// add_slices cuts the pairs into slices.
void add_slices(Plan &plan, const Pair *pairs, int64_t count, const Tensor &q) {
  for (int64_t first = 0; first < count;) {
    Slice s{first, 0, 0, 0, {}, {}, {}, {}, {}, {}, {}, {}};
    int64_t rows = 0;
    for (; first + s.pairs < count; s.pairs++) {
      const Pair &x = pairs[first + s.pairs];
      int64_t nq = std::max(s.nq, x.nq), nk = std::max(s.nk, x.nk);
      bool full = plan.flash ? rows + std::max(x.nq, x.nk) > kRows : (s.pairs + 1) * plan.heads * nq * nk > kScores;
      if (full && s.pairs > 0) break;
      s.nq = nq, s.nk = nk, rows += std::max(x.nq, x.nk);
    }
    plan.slices.push_back(plan.flash ? flash_slice(plan, pairs + first, s, q) : padded_slice(plan, pairs + first, s, q));
    first += s.pairs;
  }
}

// Inputs are a slice's rows of q, k and v and its pairs' weights, undefined where these are 1 each.
struct Inputs { Tensor q, k, v, w; };

Tensor rows_of(const Tensor &x, const Tensor &rows) { return rows.defined() ? at::index_select(x, 0, rows) : x; }

Inputs gather(const Plan &plan, const Slice &s, const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w) {
  return {rows_of(q, s.q_rows), rows_of(k, s.k_rows), rows_of(v, s.k_rows),
          plan.weighted ? w.narrow(0, s.first, s.pairs) : Tensor()};
}

Tensor value_norms(const Tensor &v, at::ScalarType sums) { return at::norm(v.to(sums), 2, {-1}, /*keepdim=*/true); }

// widened appends columns up to a width: extra, which may be undefined, then zeros.
Tensor widened(const Tensor &x, const Tensor &extra, int64_t width) {
  std::vector<Tensor> parts{x};
  if (extra.defined()) parts.push_back(extra.to(x.scalar_type()));
  int64_t rest = width - x.size(2) - (extra.defined() ? extra.size(2) : 0);
  if (rest > 0) parts.push_back(at::zeros({x.size(0), x.size(1), rest}, x.options()));
  return parts.size() > 1 ? at::cat(parts, 2) : x;
}

// The kernel takes heads whose width is a multiple of 8, the same for q, k and v.
int64_t flash_width(int64_t dim, bool value_norm) { return (dim + (value_norm ? 1 : 0) + 7) / 8 * 8; }

// flash returns the results of a slice's query rows [rows, H, D].
Tensor flash(const Plan &plan, const Slice &s, const Inputs &in) {
  int64_t width = flash_width(plan.dim, plan.value_norm);
  Tensor norms = plan.value_norm ? value_norms(in.v, plan.sums) : Tensor();
  auto left = plan.window > 0 ? std::optional<int64_t>(plan.window - 1) : std::nullopt;
  auto right = plan.window > 0 ? std::optional<int64_t>(plan.causal ? 0 : s.nk) : std::nullopt;
  Tensor both = std::get<0>(at::_flash_attention_forward(
      widened(in.q, {}, width).contiguous(), widened(in.k, {}, width).contiguous(), widened(in.v, norms, width).contiguous(),
      s.starts_q, s.starts_k, s.nq, s.nk, /*dropout_p=*/0.0, plan.causal, /*return_debug_mask=*/false, plan.scale, left,
      right));
  Tensor y = both.narrow(2, 0, plan.dim);
  if (!plan.value_norm && !in.w.defined()) return y;
  y = y.to(plan.sums);
  if (plan.value_norm) y = y / (both.narrow(2, plan.dim, 1).to(plan.sums) + kValueNormEpsilon);
  return in.w.defined() ? y * at::index_select(in.w, 0, s.pair_of).view({-1, 1, 1}) : y;
}

// padded is the same from scores in memory. Heads that share keys are rows of one product.
Tensor padded(const Plan &plan, const Slice &s, const Inputs &in) {
  int64_t group = plan.heads / plan.kv_heads, rows = group * s.nq;
  Tensor q = in.q.reshape({s.pairs, s.nq, plan.kv_heads, group, plan.dim})
                 .permute({0, 2, 3, 1, 4})
                 .reshape({s.pairs, plan.kv_heads, rows, plan.dim});
  auto keys = [&](const Tensor &x) { return x.view({s.pairs, s.nk, plan.kv_heads, x.size(2)}).transpose(1, 2); };
  Tensor scores = at::matmul(q, keys(in.k).transpose(2, 3)) * plan.scale;
  if (s.masked.defined()) // not −∞: a row of padding may read nothing, and its gradient of 0 must stay 0
    scores = at::masked_fill(scores.view({s.pairs, plan.kv_heads, group, s.nq, s.nk}), s.masked, -1e30)
                 .view({s.pairs, plan.kv_heads, rows, s.nk});
  Tensor a = at::softmax(scores, -1, plan.sums).to(plan.type);
  Tensor y = at::matmul(a, keys(in.v)).to(plan.sums);
  if (plan.value_norm) y = y / (at::matmul(a.to(plan.sums), keys(value_norms(in.v, plan.sums))) + kValueNormEpsilon);
  if (in.w.defined()) y = y * in.w.view({s.pairs, 1, 1, 1});
  y = y.view({s.pairs, plan.kv_heads, group, s.nq, plan.dim})
          .permute({0, 3, 1, 2, 4})
          .reshape({s.pairs * s.nq, plan.heads, plan.dim});
  return rows_of(y, s.filled);
}

Tensor attend(const Plan &plan, const Slice &s, const Inputs &in) {
  return plan.flash ? flash(plan, s, in) : padded(plan, s, in);
}

void add_rows(Tensor &sum, const Tensor &rows, const Tensor &x) {
  if (!rows.defined())
    sum.add_(x);
  else
    sum.index_add_(0, rows, x.to(sum.scalar_type()));
}

// Sliced keeps q, k, v and w for backward, nothing of the slices.
struct Sliced : torch::autograd::Function<Sliced> {
  static Tensor forward(AutogradContext *ctx, Tensor q, Tensor k, Tensor v, Tensor w, c10::intrusive_ptr<Plan> plan) {
    Tensor out = at::zeros(q.sizes(), q.options().dtype(plan->sums));
    for (auto &s : plan->slices) add_rows(out, s.out_rows, attend(*plan, s, gather(*plan, s, q, k, v, w)));
    ctx->save_for_backward({q, k, v, w});
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    return out.to(q.scalar_type());
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto plan = c10::static_intrusive_pointer_cast<Plan>(ctx->saved_data["plan"].toCapsule());
    Tensor q = saved[0], k = saved[1], v = saved[2], w = saved[3], dout = grads[0].to(plan->sums);
    auto sum_for = [&](const Tensor &x) { return at::zeros(x.sizes(), x.options().dtype(plan->sums)); };
    Tensor dq = sum_for(q), dk = sum_for(k), dv = sum_for(v), dw = sum_for(w);
    for (auto &s : plan->slices) {
      variable_list leaves, d;
      {
        at::AutoGradMode with_grad(true);
        Inputs in = gather(*plan, s, q, k, v, w);
        for (Tensor *x : {&in.q, &in.k, &in.v, &in.w}) {
          if (!x->defined()) continue;
          *x = x->detach().requires_grad_();
          leaves.push_back(*x);
        }
        Tensor y = attend(*plan, s, in);
        d = torch::autograd::grad({y}, leaves, {rows_of(dout, s.out_rows).to(y.scalar_type())});
      }
      add_rows(dq, s.q_rows, d[0]), add_rows(dk, s.k_rows, d[1]), add_rows(dv, s.k_rows, d[2]);
      if (plan->weighted) dw.narrow(0, s.first, s.pairs).add_(d[3]);
    }
    auto narrow = [&](const Tensor &sum) { return sum.to(plan->type); };
    return {narrow(dq), narrow(dk), narrow(dv), dw.to(w.scalar_type()), Tensor()};
  }
};

// flash_serves reports whether libtorch's flash attention has a kernel for the device, and takes these pairs.
bool flash_serves(const Plan &plan, const Tensor &q, const Pair *pairs, int64_t count) {
  if ((plan.type != at::kBFloat16 && plan.type != at::kHalf) || flash_width(plan.dim, plan.value_norm) > 256) return false;
  if (!has_kernel("aten::_flash_attention_forward", q)) return false;
  bool shifted = plan.causal || plan.window > 0; // the kernel counts positions from the ends
  for (int64_t p = 0; shifted && p < count; p++)
    if (pairs[p].nq != pairs[p].nk) return false;
  return flash_hardware();
}

void check(const Plan &plan, const Pair *pairs, int64_t count) {
  for (int64_t p = 0; p < count; p++) {
    const Pair &x = pairs[p];
    TORCH_CHECK(x.q0 >= 0 && x.nq > 0 && x.q0 + x.nq <= plan.tq && x.k0 >= 0 && x.nk > 0 && x.k0 + x.nk <= plan.tk,
                "attention: pair ", p, " (", x.q0, "+", x.nq, ", ", x.k0, "+", x.nk, ") lies outside of ", plan.tq,
                " queries and ", plan.tk, " keys");
  }
}

// Plans are kept for the next layer, which has the same pairs: to make one is to copy half a dozen tensors to the device.
struct Plans {
  static constexpr size_t kMost = 8;
  std::mutex mutex;
  std::deque<std::pair<std::string, c10::intrusive_ptr<Plan>>> kept; // by what they were made of, the newest first

  c10::intrusive_ptr<Plan> find(const std::string &key) {
    std::lock_guard<std::mutex> lock(mutex);
    for (auto &[made_of, plan] : kept)
      if (made_of == key) return plan;
    return {};
  }
  void keep(std::string key, c10::intrusive_ptr<Plan> plan) {
    std::lock_guard<std::mutex> lock(mutex);
    kept.emplace_front(std::move(key), std::move(plan));
    if (kept.size() > kMost) kept.pop_back();
  }
};

Plans &plans() {
  static Plans *all = new Plans; // never destroyed: the device's allocator may be gone by then
  return *all;
}

std::string key_of(const Plan &p, const Pair *pairs, int64_t count, at::Device device) {
  std::ostringstream key;
  key << device << ' ' << p.type << ' ' << p.tq << ' ' << p.tk << ' ' << p.heads << ' ' << p.kv_heads << ' ' << p.dim << ' '
      << p.window << ' ' << p.causal << p.value_norm << p.weighted << ' ' << std::hexfloat << p.scale << ' ';
  key.write((const char *)pairs, count * (int64_t)sizeof(Pair));
  return key.str();
}

// plan_of says how one term over its pairs is computed.
c10::intrusive_ptr<Plan> plan_of(const Tensor &q, const Tensor &k, const Pair *pairs, int64_t count, const Term &term,
                                 double scale) {
  auto plan = c10::make_intrusive<Plan>();
  plan->tq = q.size(0), plan->heads = q.size(1), plan->dim = q.size(2), plan->tk = k.size(0), plan->kv_heads = k.size(1);
  plan->causal = term.causal, plan->window = term.window, plan->value_norm = term.value_norm;
  plan->weighted = term.weighted, plan->scale = scale;
  plan->type = q.scalar_type(), plan->sums = plan->type == at::kDouble ? at::kDouble : at::kFloat;
  std::string key = key_of(*plan, pairs, count, q.device());
  if (auto made = plans().find(key)) return made;
  check(*plan, pairs, count);
  plan->flash = flash_serves(*plan, q, pairs, count);
  add_slices(*plan, pairs, count, q);
  plans().keep(std::move(key), plan);
  return plan;
}

// of_term is the sum of one term over its pairs, whose weights are w.
Tensor of_term(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, const Pair *pairs, int64_t count,
               const Term &term, double scale) {
  auto plan = plan_of(q, k, pairs, count, term, scale);
  const Slice &first = plan->slices[0];
  if (plan->flash && plan->slices.size() == 1 && !first.out_rows.defined() && !plan->weighted) // self-attention: nothing to sum
    return attend(*plan, first, gather(*plan, first, q, k, v, w)).to(plan->type);
  return Sliced::apply(q.contiguous(), k.contiguous(), v.contiguous(), w, plan);
}

} // namespace

void revela::forget_plans() {
  std::lock_guard<std::mutex> lock(plans().mutex);
  plans().kept.clear();
}

Tensor revela::device_attention(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, const Tensor &table,
                                const std::vector<Term> &terms, double scale) {
  static_assert(sizeof(Pair) == 5 * sizeof(int64_t));
  auto *pairs = reinterpret_cast<const Pair *>(table.const_data_ptr<int64_t>());
  Tensor sum;
  for (int64_t first = 0, count = table.size(0); first < count;) {
    int64_t end = first + 1;
    while (end < count && pairs[end].term == pairs[first].term) end++;
    Tensor y = of_term(q, k, v, w.narrow(0, first, end - first), pairs + first, end - first, terms[pairs[first].term], scale);
    sum = sum.defined() ? sum + y : y;
    first = end;
  }
  return sum;
}
