// How a device computes one term of attention: its pairs cut into slices of bounded memory, with the tables that a slice's
// computation needs on the device. Made once for a batch and kept for its other layers.
#pragma once
#include "shim_attention_kernel.hpp"
#include "shim_device.hpp"
#include "shim_rows.hpp"
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
  int64_t first, pairs, nq, nk;     // pairs [first, first+pairs), their longest query and key
  Places queries, keys;             // every row of a query or a key in every pair
  // flash
  at::Tensor pair_of;               // pair of each place of a query, counted from first; int32, as all of these
  at::Tensor starts_q, starts_k;    // [pairs+1]: places of a pair
  // padded, whose places include padding
  Places results;                   // rows of the result that places of queries without padding belong to
  at::Tensor filled;                // positions in [pairs·nq] that are no padding; undefined: all
  at::Tensor masked;                // bool [pairs, 1, 1, nq or 1, nk]; undefined: nothing is
};

struct Plan : torch::CustomClassHolder {
  int64_t tq, tk, heads, kv_heads, dim, window;
  int64_t weights_at;     // where the weights of its pairs begin among those of all weighted terms
  bool causal, value_norm, weighted, flash;
  double scale;
  at::ScalarType type;                  // of the tensors
  at::ScalarType sums;                  // of sums
  std::vector<Slice> slices;
};

using PlanList = std::vector<c10::intrusive_ptr<Plan>>;

// flash_attention is the sum of terms whose plans are flash; w are the weights of the weighted ones' pairs.
at::Tensor flash_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const std::optional<at::Tensor> &w,
                           const PlanList &plans);

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

// Lists are lists of whole numbers that go to the device as one tensor.
struct Lists {
  std::vector<int64_t> values;
  std::vector<std::pair<at::Tensor *, int64_t>> made; // of so many of the values

  void add(const std::vector<int64_t> &list, at::Tensor &to) {
    made.emplace_back(&to, (int64_t)list.size());
    values.insert(values.end(), list.begin(), list.end());
  }
  void upload(const at::Tensor &like) {
    at::Tensor all = on_device(values, like, at::kInt);
    int64_t at = 0;
    for (auto &[to, n] : made) *to = all.narrow(0, at, n), at += n;
  }
};

// Reading is the places of one side of a slice.
struct Reading {
  std::vector<int64_t> rows, starts{0};

  void add(int64_t row) { rows.push_back(row); }
  void add(int64_t first, int64_t n) {
    for (int64_t r = 0; r < n; r++) rows.push_back(first + r);
    starts.push_back((int64_t)rows.size());
  }
  // list makes the tables of places among so many rows.
  void list(int64_t total, Lists &lists, Places &to) const {
    if (as_they_lie(rows, total)) return;
    std::vector<int64_t> from(total + 1), at(rows.size());
    for (int64_t r : rows) from[r + 1]++;
    for (int64_t t = 0; t < total; t++) from[t + 1] += from[t];
    std::vector<int64_t> next(from.begin(), from.end() - 1);
    for (size_t i = 0; i < rows.size(); i++) at[next[rows[i]]++] = (int64_t)i;
    lists.add(rows, to.rows), lists.add(from, to.starts), lists.add(at, to.at);
  }
};

inline Slice flash_slice(const Plan &plan, const Pair *pairs, Slice s, const at::Tensor &q) {
  Reading queries, keys;
  std::vector<int64_t> pair_of;
  for (int64_t p = 0; p < s.pairs; p++) {
    queries.add(pairs[p].q0, pairs[p].nq), keys.add(pairs[p].k0, pairs[p].nk);
    pair_of.insert(pair_of.end(), pairs[p].nq, p);
  }
  Lists lists;
  lists.add(queries.starts, s.starts_q), lists.add(keys.starts, s.starts_k), lists.add(pair_of, s.pair_of);
  queries.list(plan.tq, lists, s.queries), keys.list(plan.tk, lists, s.keys);
  lists.upload(q);
  return s;
}

inline Slice padded_slice(const Plan &plan, const Pair *pairs, Slice s, const at::Tensor &q) {
  Reading queries, keys, results;
  std::vector<int64_t> filled, lengths;
  for (int64_t p = 0; p < s.pairs; p++) {
    const Pair &x = pairs[p];
    for (int64_t r = 0; r < s.nq; r++) {
      queries.add(x.q0 + std::min(r, x.nq - 1)); // padding repeats the last row
      if (r < x.nq) results.add(x.q0 + r), filled.push_back(p * s.nq + r);
    }
    for (int64_t r = 0; r < s.nk; r++) keys.add(x.k0 + std::min(r, x.nk - 1));
    lengths.push_back(x.nk);
  }
  Lists lists;
  queries.list(plan.tq, lists, s.queries), keys.list(plan.tk, lists, s.keys), results.list(plan.tq, lists, s.results);
  lists.upload(q);
  if (filled.size() < queries.rows.size()) s.filled = on_device(filled, q, at::kLong);
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
    Slice s;
    s.first = first, s.pairs = s.nq = s.nk = 0;
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
      << p.window << ' ' << p.weights_at << ' ' << p.causal << p.value_norm << p.weighted << ' ' << std::hexfloat << p.scale << ' ';
  key.write((const char *)pairs, count * (int64_t)sizeof(Pair));
  return key.str();
}

// plan_of says how one term over its pairs, whose weights lie from weights_at on, is computed.
inline c10::intrusive_ptr<Plan> plan_of(const at::Tensor &q, const at::Tensor &k, const Pair *pairs, int64_t count,
                                        const Term &term, double scale, int64_t weights_at) {
  auto plan = c10::make_intrusive<Plan>();
  plan->tq = q.size(0), plan->heads = q.size(1), plan->dim = q.size(2), plan->tk = k.size(0), plan->kv_heads = k.size(1);
  plan->causal = term.causal, plan->window = term.window, plan->value_norm = term.value_norm;
  plan->weighted = term.weighted, plan->weights_at = weights_at, plan->scale = scale;
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
