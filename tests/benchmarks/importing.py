"""How fast, and in how much memory, a manifest comes into a project.

Run: ``python tests/benchmarks/importing.py [--rows 10000]``. Each size is imported in a process of
its own through the real store; the second import of the same manifest follows. The baseline is what
any import must do in the same process: decode, hash and write each image.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_SIDE = 256


def write_source(folder: Path, rows: int) -> Path:
    """``rows`` cases with an image and a report each; every image is another."""
    from PIL import Image

    chance = np.random.default_rng(0)
    texture = chance.integers(0, 200, (_SIDE + 64, _SIDE + 64), dtype=np.uint8)
    report = "The lungs are clear. No pleural effusion or pneumothorax. " * 12
    (folder / "images").mkdir()
    with (folder / "m.jsonl").open("w", encoding="utf-8") as manifest:
        for n in range(rows):
            pixels = texture[n % 64 : n % 64 + _SIDE, n // 64 % 64 : n // 64 % 64 + _SIDE].copy()
            pixels[:8, :8] = np.frombuffer(n.to_bytes(8, "big"), np.uint8)
            name = f"images/{n}.jpg"
            Image.fromarray(pixels).save(folder / name, quality=85)
            row = {
                "id": f"case-{n}", "image": name, "report": f"{report}{n}",
                "patient_id": f"p{n // 2}", "labels": ["Edema"] if n % 3 else [],
                "labels_complete": True, "sex": "F",
            }
            manifest.write(json.dumps(row) + "\n")
    return folder / "m.jsonl"


def bare(manifest: Path, folder: Path) -> float:
    """Seconds to decode, hash and write each image durably, and nothing else."""
    from PIL import Image

    begun = time.perf_counter()
    with manifest.open(encoding="utf-8") as lines:
        for line in lines:
            source = manifest.parent / json.loads(line)["image"]
            with Image.open(source) as image:
                image.load()
            data = source.read_bytes()
            with (folder / hashlib.sha256(data).hexdigest()).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
    return time.perf_counter() - begun


def measure(rows: int) -> dict[str, float]:
    """Import ``rows`` twice in this process."""
    from mmreview.compose import ProjectOpener
    from mmreview.services.desk import ImportChoice

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "source").mkdir()
        manifest = write_source(folder / "source", rows)
        desk = ProjectOpener().create(folder / "p", schema="chexpert-14")
        try:
            before = peak_mb()
            times, gaps = [], []
            for _ in range(2):
                begun = last = time.perf_counter()
                for _step in desk.import_source(manifest, choice=ImportChoice(), actor="bench"):
                    gaps.append(time.perf_counter() - last)
                    last = time.perf_counter()
                times.append(time.perf_counter() - begun)
            peak = peak_mb()
            assert desk.cases.count() == rows
        finally:
            desk.close()
        (folder / "bare").mkdir()
        least = bare(manifest, folder / "bare")
    return {
        "rows": rows, "first_s": times[0], "again_s": times[1], "bare_s": least,
        "peak_mb": peak, "grown_mb": peak - before, "longest_step_s": max(gaps),
        "median_step_s": statistics.median(gaps),
    }


def peak_mb() -> float:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    choice = parser.parse_args()
    if choice.one:
        print(json.dumps(measure(choice.one)))
        return
    print("rows     import rows/s   again rows/s   x bare   peak MB   grown MB   longest step s")
    for rows in sorted({max(1, choice.rows // 10), choice.rows}):
        output = subprocess.run(
            [sys.executable, __file__, "--one", str(rows)],
            check=True, capture_output=True, text=True,
        ).stdout
        found = json.loads(output)
        print(
            f"{rows:<8} {rows / found['first_s']:>13.0f} {rows / found['again_s']:>14.0f}"
            f" {found['first_s'] / found['bare_s']:>8.2f} {found['peak_mb']:>9.0f}"
            f" {found['grown_mb']:>10.1f} {found['longest_step_s']:>16.2f}"
        )


if __name__ == "__main__":
    main()
