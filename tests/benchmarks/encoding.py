"""Image files to features on the processor: ``EncodedFeatures`` against the naive way, same run.

    python tests/benchmarks/encoding.py [--images N] [--repeats N] [--start]

Naive is what one writes first: Pillow decodes the whole file, the picture is fitted into 224 x 224,
timm's network as it was trained (eager, batch norms and all) sees one picture at a time. Ours is
the whole path of ``mmreview encode``: guarded decoding, batches, network, durable cache. The two
alternate. Real radiographs are taken where they lie beside the checkout, else drawn ones. Targets:
1.8 x naive at a cosine of .99 or more. ``--start`` also times a fresh process's first encode.
"""

import argparse
import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmreview.console import table
from mmreview.domain.cases import IMAGE, Case, ImageRef, Partition
from mmreview.ml import device
from mmreview.ml.encoders.registry import EFFICIENTNET_LITE0
from mmreview.ml.features import EncodedFeatures

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "covid_chestxray" / "images"
CARDS = {IMAGE: EFFICIENTNET_LITE0}

START = """
import time
begun = time.perf_counter()
import torch
torched = time.perf_counter()
import tempfile
from pathlib import Path
from mmreview.ml.features import EncodedFeatures
features = EncodedFeatures(folder=Path(tempfile.gettempdir()) / "no-features", root=Path())
features.warm_up()
print(torched - begun, time.perf_counter() - torched)
"""


def drawn(folder: Path, count: int) -> list[Path]:
    """Grey JPEGs of 512 pixels with soft shapes and noise."""
    random = np.random.default_rng(0)
    paths = []
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 255, (9, 9), dtype=np.uint8))
        soft = np.asarray(coarse.resize((512, 430), Image.Resampling.BICUBIC), dtype=np.float32)
        noisy = np.clip(soft + random.normal(0, 6, soft.shape), 0, 255).astype(np.uint8)
        paths.append(folder / f"{number}.jpg")
        Image.fromarray(noisy).save(paths[-1], quality=90)
    return paths


def cases_of(paths: Sequence[Path]) -> list[Case]:
    return [
        Case(
            key=i,
            id=path.stem,
            group=path.stem,
            partition=Partition.TRAIN,
            images=(ImageRef(hashlib.sha256(path.read_bytes()).hexdigest(), str(path), 0, 0),),
            report=None,
        )
        for i, path in enumerate(paths)
    ]


def naive(network, paths: Sequence[Path]) -> np.ndarray:
    import torch

    from mmreview.ml.encoders.efficientnet import view_mid_last

    rows = []
    for path in paths:
        with Image.open(path) as file:
            picture = file.convert("RGB")
        scale = 224 / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        canvas = Image.new("RGB", (224, 224))
        canvas.paste(
            picture.resize((width, height), Image.Resampling.BICUBIC),
            ((224 - width) // 2, (224 - height) // 2),
        )
        pixels = torch.from_numpy(np.array(canvas)).permute(2, 0, 1)[None].contiguous()
        rows.append(view_mid_last(network, pixels.float() / 127.5 - 1)[0].numpy())
    return np.stack(rows)


def ours(cases: Sequence[Case]) -> tuple[np.ndarray, float]:
    """The features, and the seconds they took."""
    with tempfile.TemporaryDirectory() as scratch:
        features = EncodedFeatures(
            folder=Path(scratch) / "features", root=Path(), device="cpu", encoders=CARDS
        )
        features.warm_up()
        begun = time.perf_counter()
        for step in features.encode(cases):
            assert not step.problems, step.problems
        seconds = time.perf_counter() - begun
        rows, known = features.matrix(IMAGE, [case.hashes(IMAGE) for case in cases])
        assert known.all()
        return rows, seconds


def measure(paths: Sequence[Path], repeats: int) -> None:
    from mmreview.ml.encoders.efficientnet import read_network

    device.choose("cpu")
    network = read_network(EFFICIENTNET_LITE0)
    cases = cases_of(paths)
    naive(network, paths[:4])
    ours(cases[:8])
    times: list[tuple[float, float]] = []
    for _ in range(repeats):
        begun = time.perf_counter()
        theirs = naive(network, paths)
        plain = time.perf_counter() - begun
        mine, seconds = ours(cases)
        times.append((plain, seconds))
    norms = np.linalg.norm(theirs, axis=1) * np.linalg.norm(mine, axis=1)
    cosine = (theirs * mine).sum(axis=1) / norms
    milliseconds = [1000 * statistics.median(t) / len(paths) for t in zip(*times, strict=True)]
    ratio = statistics.median(plain / seconds for plain, seconds in times)
    print(table(
        ("what", "value"),
        [
            ("images", f"{len(paths)} {'real' if REAL.is_dir() else 'drawn'}"),
            ("threads", str(device.thread_count())),
            ("naive, ms an image", f"{milliseconds[0]:.2f}"),
            ("mmreview, ms an image", f"{milliseconds[1]:.2f}"),
            ("ratio (target 1.8)", f"{ratio:.2f}"),
            ("cosine, least (target .99)", f"{cosine.min():.4f}"),
            ("cosine, mean", f"{cosine.mean():.5f}"),
        ],
    ))


def measure_start(repeats: int) -> None:
    found = [
        subprocess.run(
            [sys.executable, "-c", START], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(repeats)
    ]
    torch, rest = (statistics.median(float(row[i]) for row in found) for i in (0, 1))
    print(f"fresh process: import torch {torch:.2f} s, both encoders ready {rest:.2f} s later")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--start", action="store_true")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if REAL.is_dir():
            found = sorted(REAL.iterdir())
            paths = found[:: max(1, len(found) // wish.images)][: wish.images]
        else:
            paths = drawn(Path(scratch), wish.images)
        measure(paths, wish.repeats)
    if wish.start:
        measure_start(wish.repeats)


if __name__ == "__main__":
    main()
