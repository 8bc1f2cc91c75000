// Tensors of the device as tensors of the CPU, and back.
#pragma once
#include <ATen/core/Tensor.h>

namespace fakedevice {

at::Tensor on_cpu(const at::Tensor &t);       // over the same memory
at::Tensor on_device(const at::Tensor &cpu);  // a copy

} // namespace fakedevice
