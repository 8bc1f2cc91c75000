// Our own kernels on NVIDIA's GPUs, from the text in kernels/: compiled by NVIDIA's run-time compiler for the GPU at hand when one
// of them is needed for the first time, once for each type of elements.
#pragma once
#include <ATen/core/Tensor.h>
#include <algorithm>
#include <string>

namespace revela {

// find_compiler looks for the compiler beside libtorch's CUDA half, in a folder that ends with a slash.
void find_compiler(const std::string &folder);

// has_kernels reports whether t lies on a GPU that has the kernels in t's type.
bool has_kernels(const at::Tensor &t);

// pack_of is how many elements of rows of n a thread reads at once: 16 bytes' worth where n and the tensors' addresses allow it,
// else 1.
int64_t pack_of(int64_t n, std::initializer_list<at::Tensor> tensors);

// Launch queues a kernel on the current stream of x's device. Its arguments are those of the kernel, of the same sizes.
struct Launch {
  const char *kernel;
  const at::Tensor &x; // of the kernel's type of elements
  int64_t pack, blocks;
  int threads = 256;

  template <class... A> void operator()(A... arguments) const {
    void *list[] = {(void *)&arguments...};
    if (blocks > 0) queue(list);
  }

private:
  void queue(void **arguments) const;
};

// blocks_for is the number of blocks for kernels whose threads step through so many packs.
inline int64_t blocks_for(int64_t packs) { return std::min<int64_t>((packs + 255) / 256, 132 * 16); }

// row_threads is the number of threads for kernels that take a block for each row of so many packs.
inline int row_threads(int64_t packs) { return (int)std::min<int64_t>(1024, std::max<int64_t>(32, (packs + 31) / 32 * 32)); }

} // namespace revela
