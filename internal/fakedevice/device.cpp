// The device: an allocator that counts, and a fallback that runs every operation on the CPU over the same memory.
#include "device.hpp"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <atomic>
#include <cstdlib>
#include <torch/library.h>

using at::Tensor;

namespace fakedevice {

constexpr auto kType = c10::DeviceType::PrivateUse1;

std::atomic<int64_t> reads{0}; // copies to the CPU, for each of which a program would wait

constexpr size_t kBytes = size_t(8) << 30; // of memory
std::atomic<int64_t> current_bytes{0}, peak_bytes{0};

// Allocator puts the size before each block.
struct Allocator : c10::DeviceAllocator {
  static constexpr size_t kHead = 64;
  static void free_block(void *p) {
    if (!p) return;
    char *block = (char *)p - kHead;
    current_bytes -= *(int64_t *)block;
    std::free(block);
  }
  c10::DataPtr allocate(size_t n) override {
    c10::Device device(kType, 0);
    if (n == 0) return {nullptr, nullptr, &free_block, device};
    TORCH_CHECK_WITH(OutOfMemoryError, n + current_bytes <= kBytes, "device out of memory. Tried to allocate ", n, " bytes");
    char *block = (char *)std::aligned_alloc(kHead, (n + 2 * kHead - 1) / kHead * kHead);
    *(int64_t *)block = (int64_t)n;
    int64_t now = current_bytes += (int64_t)n, most = peak_bytes;
    while (now > most && !peak_bytes.compare_exchange_weak(most, now)) {
    }
    return {block + kHead, block + kHead, &free_block, device};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_block; }
  void copy_data(void *to, const void *from, size_t n) const override { std::memcpy(to, from, n); }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr &, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
    c10::CachingDeviceAllocator::DeviceStats s;
    s.allocated_bytes[0].current = current_bytes, s.allocated_bytes[0].peak = peak_bytes;
    return s;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override { peak_bytes = current_bytes.load(); }
  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex) override { return {kBytes - current_bytes, kBytes}; }
};

Allocator allocator;
[[maybe_unused]] const bool registered = (c10::SetAllocator(kType, &allocator), true);

// Hooks let libtorch's engine and generators see the device.
struct Hooks : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  const at::Generator &getDefaultGenerator(c10::DeviceIndex) const override { return at::detail::getDefaultCPUGenerator(); }
};

// From then on this is libtorch's accelerator, before any of CUDA.
void plug_in() {
  c10::register_privateuse1_backend("fake");
  at::RegisterPrivateUse1HooksInterface(new Hooks);
}

// Guard is of one device and one stream, on which everything is done at once.
struct Guard : c10::impl::DeviceGuardImplInterface {
  static c10::Device device() { return c10::Device(kType, 0); }
  static c10::Stream stream() { return c10::Stream(c10::Stream::DEFAULT, device()); }
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device) const override { return device(); }
  c10::Device getDevice() const override { return device(); }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const override { return stream(); }
  c10::Stream getDefaultStream(c10::Device) const override { return stream(); }
  c10::Stream getNewStream(c10::Device, int) const override { return stream(); }
  c10::Stream exchangeStream(c10::Stream) const override { return stream(); }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void **, const c10::Stream &, const c10::DeviceIndex, const c10::EventFlag) const override {}
  void block(void *, const c10::Stream &) const override {}
  bool queryEvent(void *) const override { return true; }
  void destroyEvent(void *, const c10::DeviceIndex) const noexcept override {}
  bool queryStream(const c10::Stream &) const override { return true; }
  void synchronizeStream(const c10::Stream &) const override {}
  void synchronizeEvent(void *) const override {}
  void synchronizeDevice(const c10::DeviceIndex) const override {}
  void recordDataPtrOnStream(const c10::DataPtr &, const c10::Stream &) const override {}
};

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

namespace {

Tensor tensor_over(c10::Storage storage, c10::DispatchKey key, const Tensor &like) {
  Tensor t = at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(key), like.dtype());
  t.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
  return t;
}

bool here(const Tensor &t) { return t.defined() && t.device().type() == kType; }

} // namespace

Tensor on_cpu(const Tensor &t) {
  if (!here(t)) return t;
  auto *owner = new c10::Storage(t.storage());
  c10::DataPtr data(t.storage().mutable_data(), owner, [](void *o) { delete (c10::Storage *)o; }, c10::Device(c10::kCPU));
  c10::Storage storage(c10::make_intrusive<c10::StorageImpl>(c10::StorageImpl::use_byte_size_t(), t.storage().nbytes(),
                                                             std::move(data), c10::GetCPUAllocator(), /*resizable=*/true));
  return tensor_over(std::move(storage), c10::DispatchKey::CPU, t);
}

Tensor on_device(const Tensor &cpu) {
  Tensor from = cpu.is_non_overlapping_and_dense() ? cpu : cpu.contiguous();
  Tensor to = at::detail::empty_strided_generic(from.sizes(), from.strides(), &allocator, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                                from.scalar_type());
  if (from.numel()) std::memcpy(to.mutable_data_ptr(), from.const_data_ptr(), from.nbytes());
  return to;
}

namespace {

// Call is an operation on its way through the CPU.
struct Call {
  const c10::OperatorHandle &op;
  torch::jit::Stack &stack;
  std::vector<c10::IValue> arguments; // as they came
  bool device = false, cpu = false;   // tensors of which are among them

  Call(const c10::OperatorHandle &o, torch::jit::Stack &s) : op(o), stack(s) {
    size_t n = op.schema().arguments().size();
    arguments.assign(stack.end() - (int64_t)n, stack.end());
  }

  Tensor argument(const Tensor &t) {
    device |= here(t);
    cpu |= t.defined() && !here(t) && t.dim() > 0; // a number may lie anywhere
    return on_cpu(t);
  }

  c10::IValue argument(const c10::IValue &v) {
    if (v.isTensor()) return argument(v.toTensor());
    if (v.isTensorList()) {
      c10::List<Tensor> list;
      for (const Tensor &t : v.toTensorVector()) list.push_back(argument(t));
      return list;
    }
    if (v.isOptionalTensorList()) {
      c10::List<std::optional<Tensor>> list;
      for (const std::optional<Tensor> &t : v.toOptionalTensorList()) list.push_back(t ? std::optional(argument(*t)) : t);
      return list;
    }
    if (v.isDevice()) return c10::Device(c10::kCPU);
    return v;
  }

  void run() {
    if (op.schema().name() == "aten::_local_scalar_dense") reads++;
    size_t n = arguments.size();
    std::vector<c10::IValue> given;
    for (auto &v : arguments) given.push_back(argument(v));
    TORCH_CHECK(!(device && cpu), op.schema().operator_name(), ": tensors on the CPU and on the device");
    std::copy(given.begin(), given.end(), stack.end() - (int64_t)n);
    op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &stack);
    for (size_t i = 0; i < n; i++) written(i, given[i]);
    size_t results = op.schema().returns().size();
    for (size_t i = 0; i < results; i++) {
      c10::IValue &v = stack[stack.size() - results + i];
      v = result(op.schema().returns()[i], v);
    }
  }

  // written gives an argument that the operation has resized its new memory.
  void written(size_t i, const c10::IValue &given) {
    auto *info = op.schema().arguments()[i].alias_info();
    if (!info || !info->isWrite() || !given.isTensor() || !given.toTensor().defined()) return;
    const Tensor &cpu = given.toTensor(), &own = arguments[i].toTensor();
    if (cpu.sizes() == own.sizes() && cpu.storage().data() == own.storage().data()) return;
    Tensor moved = on_device(cpu);
    own.unsafeGetTensorImpl()->set_storage_keep_dtype(moved.storage());
    own.unsafeGetTensorImpl()->set_sizes_and_strides(moved.sizes(), moved.strides(), 0);
  }

  c10::IValue result(const c10::Argument &returned, const c10::IValue &v) {
    if (v.isTensor()) return result(returned.alias_info(), v.toTensor());
    if (!v.isTensorList()) return v;
    auto *inner = returned.alias_info();
    if (inner && !inner->containedTypes().empty()) inner = &inner->containedTypes()[0]; // Tensor(a)[]
    c10::List<Tensor> list;
    for (const Tensor &t : v.toTensorVector()) list.push_back(result(inner, t));
    return list;
  }

  Tensor result(const c10::AliasInfo *alias, const Tensor &cpu) {
    if (!cpu.defined()) return cpu;
    const Tensor *source = alias ? aliased(*alias) : nullptr;
    if (!source) return on_device(cpu);
    return alias->isWrite() ? *source : tensor_over(source->storage(), c10::DispatchKey::PrivateUse1, cpu);
  }

  const Tensor *aliased(const c10::AliasInfo &alias) {
    for (size_t i = 0; i < arguments.size(); i++) {
      auto *info = op.schema().arguments()[i].alias_info();
      if (info && info->beforeSets() == alias.beforeSets() && arguments[i].isTensor() && here(arguments[i].toTensor()))
        return &arguments[i].toTensor();
    }
    return nullptr;
  }
};

void fallback(const c10::OperatorHandle &op, torch::jit::Stack *stack) { Call(op, *stack).run(); }

Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>, std::optional<at::Device>,
             std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &allocator, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(type), format);
}

Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride, std::optional<at::ScalarType> type,
                     std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &allocator, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           c10::dtype_or_default(type));
}

Tensor copy_from(const Tensor &from, const Tensor &to, bool) {
  if (here(from) && !here(to)) reads++;
  on_cpu(to).copy_(on_cpu(from));
  return to;
}

} // namespace

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>()); }

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", &empty);
  m.impl("empty_strided", &empty_strided);
  m.impl("_copy_from", &copy_from);
}

} // namespace fakedevice

extern "C" void revela_fake_plug_in(void) { fakedevice::plug_in(); }
extern "C" int64_t revela_fake_reads(void) { return fakedevice::reads; }
