#include "shim_kernels.hpp"
#include "shim.hpp"
#include "shim_device.h"
#include "shim_device.hpp"
#include "shim_driver.hpp"
#include <ATen/record_function.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

using at::Tensor;

namespace revela {

namespace {

std::string source, compiler_folder;

// Compiler is NVRTC: a C interface that is the same in all of its versions.
struct Compiler {
  int (*create)(void **program, const char *text, const char *name, int, const char *const *, const char *const *);
  int (*compile)(void *program, int options, const char *const *option);
  int (*size)(void *program, size_t *), (*image)(void *program, char *);
  int (*log_size)(void *program, size_t *), (*log)(void *program, char *);

  Compiler() {
    void *library = open();
    TORCH_CHECK(library, "NVIDIA's run-time compiler is not found: ", dlerror());
    auto seek = [&](const char *symbol, auto &function) {
      *(void **)&function = dlsym(library, symbol);
      TORCH_CHECK(function, "NVIDIA's run-time compiler has no ", symbol);
    };
    seek("nvrtcCreateProgram", create), seek("nvrtcCompileProgram", compile);
    seek("nvrtcGetCUBINSize", size), seek("nvrtcGetCUBIN", image);
    seek("nvrtcGetProgramLogSize", log_size), seek("nvrtcGetProgramLog", log);
  }

  // open finds it through the library that libtorch itself loads it by, which knows where it lies; where that does not load, as without
  // a driver, in the wheels' folder, beside a library that it asks for by name alone.
  static void *open() {
    std::string wheels = compiler_folder + "../../nvidia/cu13/lib/";
    dlopen((wheels + "libnvrtc-builtins.so.13.0").c_str(), RTLD_NOW);
    for (const std::string &name : {compiler_folder + "libcaffe2_nvrtc.so", wheels + "libnvrtc.so.13", std::string("libnvrtc.so.13")})
      if (void *library = dlopen(name.c_str(), RTLD_NOW)) return library;
    return nullptr;
  }

  // compiled is a program's machine code for a GPU such as sm_90.
  std::vector<char> compiled(const std::string &text, const std::string &gpu) const {
    void *program = nullptr;
    std::string architecture = "--gpu-architecture=" + gpu;
    const char *options[] = {architecture.c_str(), "--std=c++17"};
    Driver::check(create(&program, text.c_str(), "kernels", 0, nullptr, nullptr), "nvrtcCreateProgram");
    size_t n = 0;
    if (int code = compile(program, 2, options)) {
      log_size(program, &n);
      std::string message(n, 0);
      log(program, message.data());
      TORCH_CHECK(false, "kernels for ", gpu, ": nvrtcCompileProgram gives ", code, ": ", message.substr(0, message.find('\n')));
    }
    Driver::check(size(program, &n), "nvrtcGetCUBINSize");
    std::vector<char> code(n);
    Driver::check(image(program, code.data()), "nvrtcGetCUBIN");
    return code; // the program is never freed: there are three of them in a process's life
  }
};

const std::map<at::ScalarType, const char *> &types() {
  static const std::map<at::ScalarType, const char *> names{{at::kFloat, "float, float, 4"}, {at::kDouble, "double, double, 2"},
                                                            {at::kBFloat16, "bf16, float, 8"}};
  return names;
}

// instances makes a type's kernels of the templates.
std::string instances(at::ScalarType type) {
  std::string all = types().at(type), one = all.substr(0, all.find_last_of(' ')) + " 1";
  return source + "\nREVELA_KERNELS(" + all + ", pack)\nREVELA_KERNELS(" + one + ", one)\nREVELA_ROWS(" +
         all.substr(0, all.find_last_of(',')) + ")\n";
}

std::string gpu_of(int index) {
  auto &driver = Driver::get();
  return "sm_" + std::to_string(driver.capability(index, 0)) + std::to_string(driver.capability(index, 1));
}

// Module is the machine code of one type's kernels on the device of this process.
struct Module {
  void *module = nullptr, *context = nullptr;
  std::string error; // why there is none
  std::mutex mutex;
  std::unordered_map<std::string, void *> functions;

  Module(at::ScalarType type, int device) {
    try {
      auto &driver = Driver::get();
      Driver::check(driver.retain(&context, device), "cuDevicePrimaryCtxRetain"); // the context that libtorch computes in
      Driver::check(driver.enter(context), "cuCtxSetCurrent");
      Driver::check(driver.load(&module, Compiler().compiled(instances(type), gpu_of(device)).data()), "cuModuleLoadData");
    } catch (const std::exception &e) {
      error = e.what();
    }
  }

  void *function(const std::string &name) {
    std::lock_guard<std::mutex> lock(mutex);
    void *&f = functions[name];
    if (!f) Driver::check(Driver::get().find(&f, module, name.c_str()), name.c_str());
    return f;
  }
};

// module_of gives a type's module, compiled the first time.
Module &module_of(at::ScalarType type) {
  static std::mutex mutex;
  static auto *all = new std::map<at::ScalarType, std::unique_ptr<Module>>; // never destroyed: the driver may be gone by then
  std::lock_guard<std::mutex> lock(mutex);
  auto &found = (*all)[type];
  if (!found) found = std::make_unique<Module>(type, device().index());
  return *found;
}

} // namespace

void find_compiler(const std::string &folder) { compiler_folder = folder; }

bool has_kernels(const Tensor &t) { return t.is_cuda() && types().count(t.scalar_type()) && module_of(t.scalar_type()).error.empty(); }

int64_t pack_of(int64_t n, std::initializer_list<Tensor> tensors) {
  constexpr int64_t bytes = 16;
  int64_t pack = bytes / tensors.begin()->element_size();
  bool aligned = n % pack == 0;
  for (const Tensor &t : tensors) aligned = aligned && (!t.defined() || (uintptr_t)t.const_data_ptr() % bytes == 0);
  return aligned ? pack : 1;
}

void Launch::queue(void **arguments) const {
  RECORD_FUNCTION(std::string("revela::") + kernel, std::vector<c10::IValue>());
  Module &m = module_of(x.scalar_type());
  thread_local void *entered = nullptr;
  if (entered != m.context) Driver::check(Driver::get().enter(m.context), "cuCtxSetCurrent"), entered = m.context;
  auto *of = c10::impl::getDeviceGuardImpl(x.device().type());
  void *stream = of->getStreamNativeHandle(of->getStream(x.device()));
  void *f = m.function(std::string(kernel) + (pack > 1 ? "_pack" : "_one"));
  Driver::check(Driver::get().launch(f, (unsigned)blocks, 1, 1, (unsigned)threads, 1, 1, 0, stream, arguments, nullptr), kernel);
}

} // namespace revela

using namespace revela;

void revela_set_kernels(const char *text) { source = text; }

char *revela_kernels(char *message, int capacity) {
  return guard([&] {
    message[0] = 0;
    if (!device().is_cuda()) return;
    std::strncpy(message, module_of(at::kBFloat16).error.c_str(), capacity - 1);
    message[capacity - 1] = 0;
  });
}

char *revela_compile_kernels(const char *gpu, int type, int64_t *bytes) {
  return guard([&] { *bytes = (int64_t)Compiler().compiled(instances(at::ScalarType(type)), gpu).size(); });
}
