// Matrix products on NVIDIA's GPUs by cuBLAS itself. libtorch's operations call it, too, but make half a dozen views and checks around a
// product, and have it look for the best kernel anew for every number of rows; where a step has thousands of products and no two
// batches are equally long, a GPU waits for that.
#pragma once
#include <ATen/core/Tensor.h>

namespace revela {

// Operand is a matrix in memory, or its transpose; its columns, or the transpose's rows, lie together.
struct Operand {
  const at::Tensor &t;
  bool turned = false;
};

// gemm makes out [m, n] alpha · a b + beta · onto; onto is out itself where it is undefined, else of out's type. a and b are of one type;
// out may be fp32 where they are bf16. On a GPU sums are rounded once, and the product is queued on the current stream; elsewhere it is
// libtorch's.
void gemm(at::Tensor &out, Operand a, Operand b, double alpha = 1, double beta = 0, const at::Tensor &onto = {});

// multiplied is alpha · a b in a new matrix, in the type of a or, if wide, in fp32.
at::Tensor multiplied(Operand a, Operand b, double alpha = 1, bool wide = false);

} // namespace revela
