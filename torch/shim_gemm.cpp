#include "shim_gemm.hpp"
#include "shim_cublas.hpp"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/record_function.h>
#include <c10/util/Exception.h>

using at::Tensor;

namespace revela {

namespace {

using cublas::Matrix;

int type_of(const Tensor &t) { // cudaDataType
  switch (t.scalar_type()) {
  case at::kFloat: return 0;
  case at::kDouble: return 1;
  default: return 14; // bf16
  }
}

// Rows is an operand as it lies: rows of columns, the first of a row so many elements behind that of the row before.
struct Rows {
  int64_t rows, columns, stride;
  bool turned;

  explicit Rows(const Operand &o) : turned(o.turned) {
    TORCH_CHECK(o.t.dim() == 2, "product: a matrix of ", o.t.sizes());
    rows = o.t.size(0), columns = o.t.size(1);
    if (o.t.stride(1) != 1 && columns != 1) { // a transpose of rows
      TORCH_CHECK(o.t.stride(0) == 1 || rows == 1, "product: a matrix of strides ", o.t.strides());
      std::swap(rows, columns);
      turned = !turned, stride = std::max(o.t.stride(1), columns);
    } else {
      stride = std::max(rows > 1 ? o.t.stride(0) : columns, columns);
    }
  }
  int64_t height() const { return turned ? columns : rows; } // of what it stands for
  int64_t width() const { return turned ? rows : columns; }

  // matrix is the same to cuBLAS, which reads columns: what lies in rows is the transpose to it.
  Matrix matrix(const Tensor &t) const { return {t.const_data_ptr(), type_of(t), columns, rows, stride, turned}; }
};

// by_libtorch is gemm where cuBLAS is not to be had.
void by_libtorch(Tensor &out, const Operand &a, const Operand &b, double alpha, double beta, const Tensor &onto) {
  Tensor x = a.turned ? a.t.t() : a.t, y = b.turned ? b.t.t() : b.t;
  if (out.scalar_type() == x.scalar_type()) return (void)at::addmm_out(out, onto, x, y, beta, alpha);
  Tensor product = at::mm(x, y); // to a wider type
  if (beta == 0) out.copy_(product).mul_(alpha);
  else if (beta == 1 && onto.is_same(out)) out.add_(product, alpha);
  else out.copy_(at::add(product.to(out.scalar_type()).mul_(alpha), onto, beta));
}

bool serves(const Tensor &x) {
  auto type = x.scalar_type();
  return x.is_cuda() && (type == at::kFloat || type == at::kDouble || type == at::kBFloat16) && cublas::found();
}

} // namespace

void gemm(Tensor &out, Operand a, Operand b, double alpha, double beta, const Tensor &onto) {
  const Tensor &c = onto.defined() ? onto : out;
  if (!serves(out)) return by_libtorch(out, a, b, alpha, beta, c);
  RECORD_FUNCTION("revela::gemm", std::vector<c10::IValue>());
  Rows x(a), y(b), z(Operand{out}), w(Operand{c});
  TORCH_CHECK(x.width() == y.height() && x.height() == z.height() && y.width() == z.width() && !z.turned && a.t.scalar_type() == b.t.scalar_type(),
              "product: ", x.height(), "×", x.width(), " by ", y.height(), "×", y.width(), " to ", z.height(), "×", z.width(), " of ",
              a.t.scalar_type(), " and ", b.t.scalar_type());
  TORCH_CHECK(c.sizes() == out.sizes() && c.scalar_type() == out.scalar_type() && !w.turned, "product: ", c.sizes(), " to be added to ", out.sizes());
  if (out.numel() == 0) return;
  if (x.width() == 0) return (void)out.copy_(beta == 0 ? at::zeros_like(c) : at::mul(c, beta));
  // outᵀ = bᵀ aᵀ, and the transposes are what cuBLAS sees.
  cublas::multiply(out.device(), y.matrix(b.t), x.matrix(a.t), x.width(), w.matrix(c), z.matrix(out), out.mutable_data_ptr(), alpha, beta);
}

Tensor multiplied(Operand a, Operand b, double alpha, bool wide) {
  auto options = a.t.options();
  if (wide) options = options.dtype(at::kFloat);
  Tensor out = at::empty({a.t.size(a.turned), b.t.size(!b.turned)}, options);
  gemm(out, a, b, alpha);
  return out;
}

} // namespace revela
