"""Every import that the program ever does, also those inside functions.

Heavy libraries are imported where they are first used, so a frozen program that lacks one starts
all the same and fails weeks later. ``mmreview --smoke`` does all of these imports at once. They are
read from the byte code, because a frozen program carries no source.
"""

from __future__ import annotations

import dis
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from types import CodeType

import mmreview

#: Not part of the installed program, or run by Alembic and not by an import.
_LEFT_OUT = ("mmreview.installer", "mmreview.__main__", "mmreview.store.migrations.")

#: May be missing: extras, and modules of another system.
OPTIONAL = frozenset({"tensorboard", "wandb", "fcntl", "msvcrt", "winreg"})


def modules() -> tuple[str, ...]:
    """The names of the program's own modules."""
    found = pkgutil.walk_packages(mmreview.__path__, "mmreview.")
    return tuple(sorted(m.name for m in found if not m.name.startswith(_LEFT_OUT)))


def wanted(module: str) -> set[str]:
    """The modules that ``module`` imports anywhere; ``a.b`` also for ``from a import b``."""
    spec = importlib.util.find_spec(module)
    read = getattr(spec.loader if spec is not None else None, "get_code", None)
    code: CodeType | None = read(module) if read is not None else None
    return set() if code is None else {name for part in _parts(code) for name in _imports(part)}


def missing() -> tuple[str, ...]:
    """Do every import; returns what failed, as ``module: what is missing``."""
    failed = []
    own = modules()
    names = {name for module in own for name in (module, *wanted(module))}
    for name in sorted(names):
        if name.partition(".")[0] in OPTIONAL:
            continue
        try:
            _import(name)
        except Exception as error:  # a library may fail in any way
            failed.append(f"{name}: {type(error).__name__}")
    return tuple(failed)


def _import(name: str) -> None:
    """Import a module; the last part may be a value of the one before it."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        parent, _, last = name.rpartition(".")
        if error.name != name or not hasattr(importlib.import_module(parent), last):
            raise


def _parts(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)


def _imports(code: CodeType) -> Iterator[str]:
    names: tuple[str, ...] | None = None
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            yield step.argval
            yield from (f"{step.argval}.{name}" for name in names or () if name != "*")
        names = step.argval if isinstance(step.argval, tuple) else None
