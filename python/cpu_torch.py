#!/usr/bin/env python3
"""Lets the index's CUDA build of torch run on a CPU without the 2 GB of NVIDIA libraries that it is linked to.

usage: cpu_torch.py   (with the Python that has torch)

Import needs these libraries to be there and a machine without a GPU never calls into them: this puts stand-ins
in their place, whose functions all return an error. Only libraries that are missing get one. For tests on
machines without a GPU; elsewhere install torch with its dependencies.
"""

import importlib.util
import pathlib
import re
import subprocess
import tempfile

USERS = ["libtorch_cuda.so", "libtorch_python.so", "libtorch_nvshmem.so", "libtorch_cuda_linalg.so"]
# Libraries whose symbols carry no version tell them by their names.
PREFIXES = {
    "libcufile.so.0": "cuFile",
    "libcurand.so.10": "curand",
    "libcusparseLt.so.0": "cusparseLt",
    "libnccl.so.2": "nccl",
    "libnvshmem_host.so.3": "nvshmem",
    "libcusolver.so.12": "cusolver",
}
VERSION_NODES = {"libnvshmem_host.so.3": "NVSHMEM"}  # else a library's version is its own name


def main():
    libraries = pathlib.Path(importlib.util.find_spec("torch").submodule_search_locations[0], "lib")
    symbols = undefined_symbols(libraries)
    for name in sorted(needed(libraries)):
        if not present(libraries, name):
            build(libraries / name, symbols)
            print(f"stand-in for {name}")


def needed(libraries):
    """Returns the names of the libraries beyond the C and C++ run-time that torch's own are linked to."""
    output = readelf(libraries, "-d")
    names = set(re.findall(r"\(NEEDED\).*\[(\S+)\]", output))
    return {name for name in names if name.startswith(("libcu", "libnccl", "libnvshmem"))} - {"libcuda.so.1"}


def undefined_symbols(libraries):
    """Returns (symbol, version) pairs that torch's libraries expect elsewhere."""
    output = readelf(libraries, "--dyn-syms")
    return set(re.findall(r" UND (\w+)(?:@(\S+))?", output))


def readelf(libraries, option):
    files = [str(libraries / name) for name in USERS]
    return subprocess.run(["readelf", "-W", option, *files], check=True, capture_output=True, text=True).stdout


def present(libraries, name):
    """Tells whether a library lies in torch's own folder or in a package of NVIDIA's beside torch."""
    packages = libraries.parent.parent / "nvidia"
    return (libraries / name).exists() or any(packages.glob(f"*/lib/{name}"))


def build(path, symbols):
    """Compiles a library under this name with the functions that are expected in it."""
    name = path.name
    node = VERSION_NODES.get(name, name)
    prefix = PREFIXES.get(name)
    functions = sorted(
        symbol
        for symbol, version in symbols
        if version == node or (not version and prefix and symbol.startswith(prefix))
    )
    with tempfile.TemporaryDirectory() as folder:
        source, script = pathlib.Path(folder, "stub.c"), pathlib.Path(folder, "stub.map")
        source.write_text("".join(f"int {function}(void) {{ return 999; }}\n" for function in functions))
        script.write_text(f"{node} {{ global: *; }};\n")
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-w", "-fno-builtin", "-o", str(path), str(source)]
            + [f"-Wl,-soname,{name}", f"-Wl,--version-script={script}"],
            check=True,
        )


if __name__ == "__main__":
    main()
