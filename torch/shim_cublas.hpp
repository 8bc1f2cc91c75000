// cuBLAS's light interface, found in the libraries that the CUDA half of libtorch has loaded.
#pragma once
#include <c10/core/Device.h>
#include <cstdint>

namespace revela::cublas {

// Matrix is rows × columns in memory, column by column, each so many elements behind the one before; turned: its transpose is meant.
struct Matrix {
  const void *data;
  int type; // cudaDataType
  int64_t rows, columns, stride;
  bool turned;
};

bool found(); // whether it is there

// multiply queues d = alpha · a b + beta · c on the current stream of a device; a is m × k as it is meant, and c and d are of one type.
void multiply(c10::Device device, const Matrix &a, const Matrix &b, int64_t k, const Matrix &c, const Matrix &d, void *to, double alpha,
              double beta);

} // namespace revela::cublas
