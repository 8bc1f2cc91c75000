// How a device computes one term of attention: its pairs cut into slices of bounded memory, with the tables that a slice's
// computation needs on the device. Made once for a batch and kept for its other layers.
#pragma once
#include "shim_attention_kernel.hpp"
#include "shim_device.hpp"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>
#include <deque>
#include <mutex>
#include <sstream>

namespace revela {

constexpr int64_t kScores = int64_t(1) << 25; // elements of a slice's scores: 128 MiB in fp32
constexpr int64_t kRows = int64_t(1) << 16;   // query or key rows of a slice of flash attention

// Slice is a run of pairs with what is needed of them on the device.
struct Slice {
  int64_t first, pairs, nq, nk;         // pairs [first, first+pairs), their longest query and key
  at::Tensor q_rows, k_rows;                // rows of q and k to gather; undefined: all, as they lie
  at::Tensor out_rows;                      // rows of the result that the query rows belong to; undefined: all, as they lie
  at::Tensor pair_of;                       // flash: pair of each query row, counted from first
  at::Tensor starts_q, starts_k;            // flash: int32 [pairs+1]
  at::Tensor filled;                        // padded: positions in [pairs·nq] that are no padding; undefined: all
  at::Tensor masked;                        // padded: bool [pairs, 1, 1, nq or 1, nk]; undefined: nothing is
};

struct Plan : torch::CustomClassHolder {
  int64_t tq, tk, heads, kv_heads, dim, window;
  bool causal, value_norm, weighted, flash;
  double scale;
  at::ScalarType type;                  // of the tensors
  at::ScalarType sums;                  // of sums
  std::vector<Slice> slices;
};

inline at::Tensor on_device(const std::vector<int64_t> &values, const at::Tensor &like, at::ScalarType type) {
  auto options = at::TensorOptions(at::kLong);
  if (!like.is_cuda()) return at::tensor(values, options).to(like.device(), type);
  return at::tensor(values, options).to(type).pin_memory().to(like.device(), /*non_blocking=*/true);
}

// as_they_lie reports whether rows are 0 … total−1: then there is nothing to gather.
inline bool as_they_lie(const std::vector<int64_t> &rows, int64_t total) {
  if ((int64_t)rows.size() != total) return false;
  for (int64_t i = 0; i < total; i++)
    if (rows[i] != i) return false;
  return true;
}

inline at::Tensor gathered_by(const std::vector<int64_t> &rows, int64_t total, const at::Tensor &like) {
  return as_they_lie(rows, total) ? at::Tensor() : on_device(rows, like, at::kLong);
}

inline Slice flash_slice(const Plan &plan, const Pair *pairs, Slice s, const at::Tensor &q) {
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

inline Slice padded_slice(const Plan &plan, const Pair *pairs, Slice s, const at::Tensor &q) {
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
  at::Tensor column = at::arange(s.nk, options), row = at::arange(s.nq, options).unsqueeze(1);
  if (std::any_of(lengths.begin(), lengths.end(), [&](int64_t n) { return n < s.nk; }))
    s.masked = column >= on_device(lengths, q, at::kLong).view({s.pairs, 1, 1, 1, 1});
  auto also = [&](const at::Tensor &m) { s.masked = s.masked.defined() ? s.masked | m : m; };
  if (plan.causal) also(column > row);
  if (plan.window > 0) also(row - column >= plan.window);
  return s;
}

// add_slices cuts the pairs into slices.
inline void add_slices(Plan &plan, const Pair *pairs, int64_t count, const at::Tensor &q) {
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

// The kernel takes heads whose width is a multiple of 8, the same for q, k and v.
inline int64_t flash_width(int64_t dim, bool value_norm) { return (dim + (value_norm ? 1 : 0) + 7) / 8 * 8; }

// flash_serves reports whether libtorch's flash attention has a kernel for the device, and takes these pairs.
inline bool flash_serves(const Plan &plan, const at::Tensor &q, const Pair *pairs, int64_t count) {
  if ((plan.type != at::kBFloat16 && plan.type != at::kHalf) || flash_width(plan.dim, plan.value_norm) > 256) return false;
  if (!has_kernel("aten::_flash_attention_forward", q)) return false;
  bool shifted = plan.causal || plan.window > 0; // the kernel counts positions from the ends
  for (int64_t p = 0; shifted && p < count; p++)
    if (pairs[p].nq != pairs[p].nk) return false;
  return flash_hardware();
}

inline void check(const Plan &plan, const Pair *pairs, int64_t count) {
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

inline Plans &plans() {
  static Plans *all = new Plans; // never destroyed: the device's allocator may be gone by then
  return *all;
}

inline std::string key_of(const Plan &p, const Pair *pairs, int64_t count, at::Device device) {
  std::ostringstream key;
  key << device << ' ' << p.type << ' ' << p.tq << ' ' << p.tk << ' ' << p.heads << ' ' << p.kv_heads << ' ' << p.dim << ' '
      << p.window << ' ' << p.causal << p.value_norm << p.weighted << ' ' << std::hexfloat << p.scale << ' ';
  key.write((const char *)pairs, count * (int64_t)sizeof(Pair));
  return key.str();
}

// plan_of says how one term over its pairs is computed.
inline c10::intrusive_ptr<Plan> plan_of(const at::Tensor &q, const at::Tensor &k, const Pair *pairs, int64_t count,
                                        const Term &term, double scale) {
  auto plan = c10::make_intrusive<Plan>();
  plan->tq = q.size(0), plan->heads = q.size(1), plan->dim = q.size(2), plan->tk = k.size(0), plan->kv_heads = k.size(1);
  plan->causal = term.causal, plan->window = term.window, plan->value_norm = term.value_norm;
  plan->weighted = term.weighted, plan->scale = scale;
  plan->type = q.scalar_type(), plan->sums = sum_type(q);
  std::string key = key_of(*plan, pairs, count, q.device());
  if (auto made = plans().find(key)) return made;
  check(*plan, pairs, count);
  plan->flash = flash_serves(*plan, q, pairs, count);
  add_slices(*plan, pairs, count, q);
  plans().keep(std::move(key), plan);
  return plan;
}

} // namespace revela
