"""The cache of features: durable, forgiving, and cheap to ask."""

import hashlib
import json
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmreview.domain.cases import IMAGE, TEXT, Case, ImageRef, Partition
from mmreview.domain.errors import EncoderUnavailable, ImageUnreadable, WriteFailed
from mmreview.ml import cache as caches
from mmreview.ml.cache import FeatureCache, MappedBlockFiles
from mmreview.ml.encoders.card import EncoderCard, Item
from mmreview.ml.encoders.registry import DEFAULT_ENCODERS, EFFICIENTNET_LITE0
from mmreview.ml.features import EncodedFeatures
from mmreview.ml.packing import unpacked

ROOT = Path(__file__).parents[3]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def a_case(key, *, images=(), report=None):
    return Case(
        key=key,
        id=f"case-{key}",
        group=f"g{key}",
        partition=Partition.TRAIN,
        images=tuple(images),
        report=report,
        report_sha256=sha(report.encode()) if report is not None else None,
    )


def picture(folder, name, seed):
    random = np.random.default_rng(seed)
    small = random.integers(0, 255, (12, 10), dtype=np.uint8)
    path = folder / name
    Image.fromarray(small).resize((250, 300)).save(path)
    return ImageRef(sha256=sha(path.read_bytes()), path=name, width=250, height=300)


class Letters:
    """A quick encoder: counts the letters a to d of a text, and the calls."""

    batch_size = 4

    def __init__(self, card, placement):
        self.card, self.calls = card, 0

    def prepare(self, source):
        if "broken" in source:
            raise ImageUnreadable("image.damaged", path="x", detail="broken")
        return (source,)

    def length(self, unit):
        return len(unit)

    def encode(self, units):
        self.calls += 1
        rows = [[unit.count(c) for c in "abcd"] for unit in units]
        if any("nan" in unit for unit in units):
            rows = [[np.nan] * 4 if "nan" in u else r for u, r in zip(units, rows, strict=True)]
        return np.array(rows, dtype=np.float32)

    def join(self, rows, units):
        return rows[0]


def letters_card(name="letters", step=3):
    return EncoderCard(
        name=name,
        modality=TEXT,
        weights_sha256="0" * 64,
        preprocessing="none",
        view="count",
        blocks=(4,),
        items=lambda case, root: (
            (Item(case.report_sha256, case.report),) if case.report else ()
        ),
        load=Letters,
        step=step,
    )


@pytest.fixture
def quick(tmp_path):
    def make(**more):
        return EncodedFeatures(
            folder=tmp_path / "features",
            root=tmp_path,
            device="cpu",
            encoders={TEXT: letters_card()},
            **more,
        )

    return make


def hashes(cases, modality=TEXT):
    return [case.hashes(modality) for case in cases]


def run(features, cases):
    return list(features.encode(cases))


def blocks(tmp_path):
    return sorted((tmp_path / "features").rglob("*.npy"))


CASES = [a_case(i, report="a" * i + "b") for i in range(10)]


# --- the real encoders ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project's folder with cases of every kind, encoded with the real encoders."""
    root = tmp_path_factory.mktemp("project")
    refs = [picture(root, f"{i}.png", i) for i in range(3)]
    (root / "cut.png").write_bytes((root / "0.png").read_bytes()[:200])
    cut = ImageRef(sha256=sha((root / "cut.png").read_bytes()), path="cut.png", width=1, height=1)
    gone = ImageRef(sha256="9" * 64, path="gone.png", width=1, height=1)
    cases = [
        a_case(0, images=refs[:2], report="Large effusion on the left."),
        a_case(1, images=refs[2:]),
        a_case(2, report="No acute process. " * 200),
        a_case(3, images=[cut, gone], report="  \n "),
        a_case(4),
    ]
    features = EncodedFeatures(folder=root / "features", root=root, device="cpu")
    steps = list(features.encode(cases))
    return features, cases, steps, root


def test_everything_readable_is_encoded_and_the_rest_is_named(project):
    features, cases, steps, _ = project
    assert (steps[-1].done, steps[-1].total) == (7, 7)
    problems = [problem for step in steps for problem in step.problems]
    assert {(p.code, p.params["case"], p.params["path"]) for p in problems} == {
        ("encode.image.damaged", "case-3", "cut.png"),
        ("encode.image.missing", "case-3", "gone.png"),
    }
    assert features.missing(cases) == []
    _, image = features.matrix(IMAGE, hashes(cases, IMAGE))
    _, text = features.matrix(TEXT, hashes(cases, TEXT))
    assert image.tolist() == [True, True, False, False, False]
    assert text.tolist() == [True, False, True, False, False]


def test_several_images_are_one_mean(project):
    features, cases, _, _ = project
    first, second = cases[0].hashes(IMAGE)
    both, _ = features.matrix(IMAGE, [(first, second), (first, "0" * 64)])
    single, known = features.matrix(IMAGE, [(first,), (second,)])
    assert known.all()
    np.testing.assert_allclose(both[0], single.mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(both[1], single[0])


def test_failures_are_tried_again_when_the_project_is_opened_again(project):
    _, cases, _, root = project
    again = EncodedFeatures(folder=root / "features", root=root, device="cpu")
    assert again.missing(cases) == [cases[3]]


def test_what_the_cache_needs_needs_no_torch(project):
    _, _, _, root = project
    code = f"""
import sys
from pathlib import Path
from mmreview.ml.features import EncodedFeatures
from mmreview.ml.packing import unpacked
features = EncodedFeatures(folder=Path({str(root / "features")!r}), root=Path({str(root)!r}))
features.missing([]), features.matrix("text", [("0" * 64,)]), features.width("image")
features.fingerprint("image")
print([m for m in ("torch", "timm", "transformers", "tokenizers") if m in sys.modules])
"""
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_the_description_names_encoders_and_hashes(project):
    features, _, _, _ = project
    found = features.describe()
    assert found["device_kind"] == "cpu"
    image = found["encoders"][IMAGE]
    assert image["weights_sha256"] == EFFICIENTNET_LITE0.weights_sha256
    assert image["fingerprint"] == features.fingerprint(IMAGE)
    json.dumps(found)


def test_wrong_weights_end_the_work_before_anything_is_written(tmp_path):
    features = EncodedFeatures(
        folder=tmp_path / "features",
        root=tmp_path,
        device="cpu",
        encoders={IMAGE: replace(EFFICIENTNET_LITE0, weights_sha256="0" * 64)},
    )
    with pytest.raises(EncoderUnavailable):
        run(features, [a_case(0, images=[picture(tmp_path, "a.png", 0)])])
    assert not (tmp_path / "features").exists()


# --- the cache --------------------------------------------------------------------------------


def test_encoding_resumes_where_it_was_stopped(quick):
    work = quick().encode(CASES)
    step = next(work)
    work.close()
    assert (step.done, step.total) == (3, 10)
    again = quick()
    assert again.missing(CASES) == CASES[3:]
    assert [(s.done, s.total) for s in again.encode(CASES)] == [(3, 7), (6, 7), (7, 7)]
    rows, known = again.matrix(TEXT, hashes(CASES))
    assert known.all()
    assert rows[:, 0].tolist() == list(range(10))


def test_a_second_time_encodes_nothing(quick):
    features = quick()
    run(features, CASES)
    assert run(features, CASES) == []
    assert run(quick(), CASES) == []


def test_partial_truncated_and_foreign_files_are_ignored(quick, tmp_path):
    run(quick(), CASES)
    first, second, *_ = blocks(tmp_path)
    first.write_bytes(first.read_bytes()[:-5])
    second.write_bytes(b"something else")
    np.save(second.with_name("999999-foreign.npy"), np.zeros(4))
    partial = second.with_name("000009-x.npy.abc.partial")
    partial.write_bytes(b"killed")
    again = quick()
    assert again.missing(CASES) == CASES[:6]
    run(again, CASES)
    rows, known = again.matrix(TEXT, hashes(CASES))
    assert known.all()
    assert rows[:, 0].tolist() == list(range(10))
    assert not partial.exists()
    assert quick().missing(CASES) == []


def test_another_encoder_has_a_cache_of_its_own(quick, tmp_path):
    run(quick(), CASES)
    other = EncodedFeatures(
        folder=tmp_path / "features",
        root=tmp_path,
        device="cpu",
        encoders={TEXT: replace(letters_card(), view="other")},
    )
    assert other.missing(CASES) == CASES
    assert other.fingerprint(TEXT) != quick().fingerprint(TEXT)


def test_a_reader_writes_nothing_but_shows_opinions(quick, tmp_path):
    run(quick(), CASES[:3])
    before = blocks(tmp_path)
    reader = quick(read_only=True)
    run(reader, CASES)
    assert reader.missing(CASES) == []
    assert reader.matrix(TEXT, hashes(CASES))[0][:, 0].tolist() == list(range(10))
    assert blocks(tmp_path) == before


def test_a_reader_of_a_project_without_features_makes_no_folder(quick, tmp_path):
    reader = quick(read_only=True)
    run(reader, CASES)
    assert reader.missing(CASES) == []
    assert not (tmp_path / "features").exists()


def test_blocks_of_another_process_are_seen(quick):
    reader, writer = quick(read_only=True), quick()
    run(writer, CASES[:2])
    assert reader.missing(CASES[:4]) == CASES[2:4]
    run(writer, CASES)
    assert reader.missing(CASES) == []


def test_a_number_that_is_none_is_a_problem_and_the_rest_goes_on(quick):
    features = quick()
    cases = [a_case(0, report="nan"), a_case(1, report="broken"), a_case(2, report="aa")]
    problems = [p for step in features.encode(cases) for p in step.problems]
    assert {(p.code, p.params["case"]) for p in problems} == {
        ("encode.not_finite", "case-0"),
        ("encode.image.damaged", "case-1"),
    }
    assert features.missing(cases) == []
    assert features.matrix(TEXT, hashes(cases))[1].tolist() == [False, False, True]


def test_a_full_disk_is_an_error_that_keeps_what_was_there(quick, monkeypatch):
    features = quick()
    run(features, CASES[:3])

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caches.np, "save", full)
    with pytest.raises(WriteFailed) as caught:
        run(features, CASES)
    assert caught.value.params["detail"] == "No space left on device"
    monkeypatch.undo()
    assert features.missing(CASES) == CASES[3:]
    run(features, CASES)
    assert quick().missing(CASES) == []


def test_two_lanes_encode_at_once(quick):
    features = quick()
    lanes = [threading.Thread(target=run, args=(features, CASES)) for _ in range(3)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    for one in (features, quick()):
        rows, known = one.matrix(TEXT, hashes(CASES))
        assert known.all()
        assert rows[:, 0].tolist() == list(range(10))


def test_many_small_blocks_become_one(tmp_path, monkeypatch):
    monkeypatch.setattr(caches, "_MANY", 4)
    names = [sha(bytes([i])) for i in range(23)]

    def opened():
        files = MappedBlockFiles(tmp_path, width=2, card={})
        return FeatureCache(files, width=2)

    cache = opened()
    for i, name in enumerate(names):
        cache.append([name], np.full((1, 2), i, dtype=np.float32))
    assert len(list(tmp_path.glob("*.npy"))) <= 5
    for one in (cache, opened()):
        rows, known = one.read(names[::-1])
        assert known.all()
        assert rows[:, 0].tolist() == list(range(22, -1, -1))
        assert len(one) == 23


def test_a_reader_keeps_what_a_writer_merged(tmp_path, monkeypatch):
    monkeypatch.setattr(caches, "_MANY", 4)
    files = MappedBlockFiles(tmp_path, width=2, card={})
    writer = FeatureCache(files, width=2)
    reader = FeatureCache(MappedBlockFiles(tmp_path, width=2, card={}), width=2, read_only=True)
    names = [sha(bytes([i])) for i in range(9)]
    for i, name in enumerate(names):
        writer.append([name], np.full((1, 2), i, dtype=np.float32))
        assert not reader.missing(names[: i + 1])
    assert reader.read(names)[0][:, 0].tolist() == list(range(9))


def test_a_third_modality_is_one_card_and_one_line(tmp_path):
    def age(case, root):
        value = str(case.metadata.get("age", ""))
        return (Item(sha(value.encode()), value * 3),) if value else ()

    clinical = replace(letters_card(), modality="clinical", items=age)
    features = EncodedFeatures(
        folder=tmp_path / "features",
        root=tmp_path,
        device="cpu",
        encoders={TEXT: letters_card(), "clinical": clinical},
    )
    case = replace(a_case(0, report="ab"), metadata={"age": "c"})
    run(features, [case])
    assert features.modalities == (TEXT, "clinical")
    assert features.matrix("clinical", [(sha(b"c"),)])[0].tolist() == [[0, 0, 3, 0]]


def test_every_problem_has_a_sentence_that_can_be_filled():
    known = json.loads(
        (ROOT / "resources" / "translations" / "en" / "encoders.json").read_text(encoding="utf-8")
    )
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "mmreview" / "ml" / "encoders").glob("*.py")
    )
    sources += (ROOT / "mmreview" / "ml" / "features.py").read_text(encoding="utf-8")
    named = set(re.findall(r'"(enco(?:de|der)\.[a-z_]+)"', sources))
    decoding = (ROOT / "mmreview" / "imaging" / "decoding.py").read_text(encoding="utf-8")
    named |= {f"encode.{code}" for code in re.findall(r'"(image\.[a-z_]+)"', decoding)}
    assert named <= known.keys()
    assert all("{case}" in known[code] for code in named if code.startswith("encode."))
    assert set(DEFAULT_ENCODERS) == {IMAGE, TEXT}


def test_parts_are_made_only_where_they_are_wanted_and_kept_in_16_bits(tmp_path):
    parts = {
        "text.parts": replace(
            letters_card(), modality="text.parts", blocks=(4,), part=2, stored="float16"
        )
    }
    features = EncodedFeatures(
        folder=tmp_path / "features", root=tmp_path, device="cpu",
        encoders={TEXT: letters_card()}, parts=parts,
    )
    case = a_case(1, report="abba")
    list(features.encode([case]))
    assert not features.missing([case])
    assert not features.parts_cached()
    assert features.part_widths == {"text": 2}
    features.want_parts()
    assert features.missing([case]) == [case]
    assert [step.total for step in features.encode([case])] == [1]
    assert features.parts_cached()
    assert not features.missing([case])
    rows, there = features.matrix("text.parts", [case.hashes(TEXT)])
    assert there.all()
    assert np.array_equal(rows, features.matrix(TEXT, [case.hashes(TEXT)])[0])
    [block] = (tmp_path / "features").glob("text.parts-*/*.npy")
    assert unpacked(np.load(block)).rows.dense.dtype == np.float16
