// Where tensors lie, and operations for devices that the CPU's kernels cannot serve, from libtorch's own.
#pragma once
#include <ATen/core/Tensor.h>
#include <vector>

namespace revela {

struct Term; // of shim_attention_kernel.hpp

c10::Device device();  // of new tensors
void enter_device();   // makes it this OS thread's current device
bool flash_hardware(); // whether the device's hardware runs libtorch's flash attention

// has_kernel reports whether libtorch has an operation such as "aten::_fused_rms_norm" for x's device itself.
bool has_kernel(const char *operation, const at::Tensor &x);

// The operations of shim_fused.cpp, with what backward needs of them kept as there.
at::Tensor device_rms_norm(const at::Tensor &x, const at::Tensor &w, double eps);
at::Tensor device_rope(const at::Tensor &x, const at::Tensor &cos, const at::Tensor &sin);
at::Tensor device_swiglu(const at::Tensor &gate, const at::Tensor &up);

// device_attention is what shim_attention.cpp describes: w [pairs], and a table [pairs, 5] on the host whose rows come term
// after term.
at::Tensor device_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &w,
                            const at::Tensor &table, const std::vector<Term> &terms, double scale);
void forget_plans(); // frees what device_attention keeps on the device for the next call

} // namespace revela
