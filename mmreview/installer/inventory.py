"""What the packaged program weighs: what was left out, what of CUDA stays and who needs it.

``build_installer.spec`` drops files through ``Dropped`` and prints ``report`` when the folder is
complete, so that every gigabyte is accounted for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from mmreview.installer import contents

#: A line of PyInstaller's table of contents: (destination, source, kind).
Entry = tuple[str, str, str]

#: Where the building system keeps its libraries (elsewhere than on Linux none are taken from it).
_SYSTEM = ("/usr/lib", "/lib")

_MB = 1e6


@dataclass(slots=True)
class Dropped:
    """Files that were collected and stay out, by reason."""

    #: reason -> bytes
    by_reason: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def filter(self, entries: Iterable[Entry]) -> list[Entry]:
        """The entries that stay, in order."""
        return list(self._kept(entries))

    def _kept(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in sorted(entries):
            destination, source, kind = entry
            rule = contents.left_out(Path(destination).as_posix())
            if rule is None and kind == "SYMLINK":
                rule = contents.left_out(Path(source).as_posix())
            if rule is None:
                yield entry
            elif Path(source).is_file():
                self.by_reason[rule.why] += Path(source).stat().st_size

    def without_orphans(self, entries: list[Entry]) -> list[Entry]:
        """The entries without libraries of the building system that only left-out files link (a
        theme for GTK brings a dozen)."""
        from PyInstaller.depend.bindepend import get_imports

        links = {
            source: {Path(name).name for name, _ in get_imports(source)}
            for _, source, kind in entries
            if kind in ("BINARY", "EXTENSION") and Path(source).is_file()
        }
        kept = entries
        while True:
            linked = set().union(*(links.get(source, set()) for _, source, _ in kept))
            orphans = [
                entry for entry in kept
                if entry[1].startswith(_SYSTEM) and Path(entry[0]).name not in linked
            ]
            if not orphans:
                return kept
            for _, source, _ in orphans:
                self.by_reason["linked only by what is left out"] += Path(source).stat().st_size
            kept = [entry for entry in kept if entry not in orphans]


@dataclass(frozen=True, slots=True)
class Library:
    """A library of the CUDA build in the folder."""

    path: str
    size: int
    why: str


def cuda_libraries(folder: Path) -> list[Library]:
    """The CUDA libraries in the folder, largest first, each with who needs it."""
    root = inside(folder)
    found = {path.name: path for path in files(root) if _is_cuda(path, root)}
    needed_by = _needed_by(files(root), set(found))
    return sorted(
        (
            Library(path.relative_to(root).as_posix(), path.stat().st_size, _why(name, needed_by))
            for name, path in found.items()
        ),
        key=lambda library: -library.size,
    )


def sizes(folder: Path) -> tuple[int, int]:
    """(bytes of the whole folder, bytes of it that only a CUDA build of torch brings)."""
    root = inside(folder)
    total = sum(path.stat().st_size for path in files(folder))
    return total, sum(path.stat().st_size for path in files(root) if _is_cuda(path, root))


def inside(folder: Path) -> Path:
    """Where PyInstaller puts everything but the program itself."""
    return folder / "_internal" if (folder / "_internal").is_dir() else folder


def files(folder: Path) -> list[Path]:
    """Every regular file below the folder, sorted; links count where they point."""
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    )


def report(folder: Path, dropped: Dropped, *, flavour: str) -> str:
    """The account of a complete folder, for a person."""
    total, cuda = sizes(folder)
    lines = [f"{folder.name}: {total / _MB:,.0f} MB, flavour {flavour}", "", "left out:"]
    lines += [
        f"  {size / _MB:8,.1f} MB  {why}"
        for why, size in sorted(dropped.by_reason.items(), key=lambda item: -item[1])
    ]
    if cuda:
        lines += ["", "of the CUDA build, and why it stays:"]
        lines += [
            f"  {library.size / _MB:8,.1f} MB  {library.path}  ({library.why})"
            for library in cuda_libraries(folder)
        ]
        lines += ["", "of the CUDA build, and why it does not:"]
        lines += [
            f"  {size / _MB:8,.1f} MB  {name}  ({why})"
            for name, size, why in contents.cuda_left_out()
        ]
    lines += ["", "the rest, by package:"]
    lines += [f"  {size / _MB:8,.1f} MB  {name}" for name, size in by_package(folder)]
    lines.append(f"\nwith a CPU build of torch it would weigh {(total - cuda) / _MB:,.0f} MB")
    return "\n".join(lines)


def by_package(folder: Path) -> list[tuple[str, int]]:
    """(first folder or file, bytes) of all but CUDA's, largest first; the small together."""
    root = inside(folder)
    counted: dict[str, int] = defaultdict(int)
    for path in files(folder):
        if path.is_relative_to(root):
            if not _is_cuda(path, root):
                counted[path.relative_to(root).parts[0]] += path.stat().st_size
        else:
            counted[path.name] += path.stat().st_size
    large = [(name, size) for name, size in counted.items() if size >= _MB]
    rest = sum(size for size in counted.values() if size < _MB)
    return [*sorted(large, key=lambda item: -item[1]), ("everything smaller than 1 MB", rest)]


def _is_cuda(path: Path, root: Path) -> bool:
    return contents.is_cuda(path.relative_to(root).as_posix())


def _needed_by(libraries: list[Path], wanted: set[str]) -> dict[str, list[str]]:
    """wanted library -> names of the libraries that link it."""
    from PyInstaller.depend.bindepend import get_imports

    found: dict[str, list[str]] = defaultdict(list)
    for path in libraries:
        if ".so" in path.name or path.suffix in (".dll", ".dylib", ".pyd"):
            for name, _ in get_imports(str(path)):
                if Path(name).name in wanted:
                    found[Path(name).name].append(path.name)
    return found


def _why(name: str, needed_by: dict[str, list[str]]) -> str:
    if needed_by.get(name):
        return "linked by " + ", ".join(sorted(needed_by[name])[:3])
    kept = next((kept for kept in contents.CUDA_OPENED if fnmatchcase(name, kept.name)), None)
    return kept.why if kept is not None else "opened by torch"
