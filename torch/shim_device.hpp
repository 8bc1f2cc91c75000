// Where tensors lie, and attention on devices that the CPU's kernels cannot serve.
#pragma once
#include <ATen/core/Tensor.h>
#include <vector>

namespace revela {

struct Term; // of shim_attention_kernel.hpp

c10::Device device();  // of new tensors
void enter_device();   // makes it this OS thread's current device
bool flash_hardware(); // whether the device's hardware runs libtorch's flash attention

// has_kernel reports whether libtorch has an operation such as "aten::_flash_attention_forward" for x's device itself.
bool has_kernel(const char *operation, const at::Tensor &x);

// device_attention is what shim_attention.cpp describes: weights [pairs] of each term, undefined where these are 1, and a table
// [pairs, 5] on the host whose rows come term after term.
at::Tensor device_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const std::vector<at::Tensor> &weights,
                            const at::Tensor &table, const std::vector<Term> &terms, double scale);
void forget_plans(); // frees what device_attention keeps on the device for the next call

} // namespace revela
