// NVIDIA's driver, of whose stable C interface these few functions are used. It is found at run time.
#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>

namespace revela {

struct Driver {
  // what is there
  int (*init)(unsigned), (*count)(int *), (*name)(char *, int, int), (*attribute)(int *, int, int), (*total)(size_t *, int);
  // kernels; contexts, modules, functions and streams are pointers
  int (*retain)(void **context, int device), (*enter)(void *context);
  int (*load)(void **module, const void *image), (*find)(void **function, void *module, const char *name);
  int (*launch)(void *function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned shared, void *stream,
                void **arguments, void **extra);

  static const Driver &get(); // throws where there is none
  static void check(int code, const char *what) {
    if (code) throw std::runtime_error(std::string(what) + " gives " + std::to_string(code));
  }
  int capability(int index, int minor) const; // of a device: the major number, or the minor one

private:
  std::string error;
  Driver();
};

} // namespace revela
