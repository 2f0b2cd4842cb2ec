"""Kill -9 at random moments of train, evaluate, promote, rollback and of opening what that left:
the project stays whole.

    python tests/benchmarks/kill.py --what training [--rounds N] [--seed S] [--project FOLDER]

A child process opens a real, encoded project (the synthetic cohort, or a copy of FOLDER) as the
commands do and repeats one of the four acts, correcting findings between the steps of a round. It
says what it begins and, once it is durable, what it has done. It is killed at a random moment of
the act. Then the project is opened as the next start would and must have: one champion, which loads
and answers; every correction and every version that was told; nothing to say for ``verify``; no
round that never ended; no file that nobody owns. The fifth act kills that next start too, while it
opens what a killed round of training left and cleans up, before the project is looked at.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mmreview.compose import ProjectOpener
from mmreview.console import Console
from mmreview.domain.errors import MmreviewError
from mmreview.domain.findings import READER_STATES
from mmreview.domain.reads import Correction
from mmreview.domain.rounds import UNFINISHED
from mmreview.domain.versions import Role
from mmreview.services.learning import TrainingOptions

ACTS = ("train", "evaluate", "promote", "rollback", "open")
CASES = 40

#: The files that a project is made of; anything else was left behind.
_OWNED = re.compile(
    r"project\.sqlite(-wal|-shm)?|project\.lock|cache/[^/]+\.sqlite(-wal|-shm)?"
    r"|images/[0-9a-f/]+\.\w+|features/[\w.-]+/(card\.json|[\w.-]+\.npy)"
    r"|versions/\d{5}/(card\.json|model\.safetensors|learning_curve\.json)"
)


@dataclass(frozen=True)
class Outcome:
    """What one killed child left."""

    act: str
    told: int
    corrections: int
    lost: int
    problems: tuple[str, ...]
    interrupted: int
    seconds: float


def make_project(folder: Path, source: Path | None = None) -> None:
    """An encoded project with two versions that served: a copy of ``source``, or synthetic."""
    opener = ProjectOpener(device="cpu")
    if source is not None:
        shutil.copytree(source, folder)
        desk = opener.open(folder)
    else:
        desk = opener.create_demo(folder, seed=5)
        Console().run(opener.fill_demo(desk, cases=CASES, seed=5))
    Console().run(desk.learning.train(actor="ana", options=TrainingOptions(seed=1)))
    if desk.learning.champion().parent is None:
        desk.learning.promote(desk.learning.versions()[-1].id, actor="ana")
    desk.close()


# --- the child ----------------------------------------------------------------------------------


def session(folder: Path, seed: int, act: str) -> None:
    """Repeat one act until killed; one JSON line for what begins and for what is durable."""
    rng = random.Random(seed)
    if act == "open":
        _open(folder)
    desk = ProjectOpener(device="cpu").open(folder)
    keys = [case.key for batch in desk.cases.batches() for case in batch]
    desk.predicting.serve()
    for _ in range(3):
        _correct(desk, rng, keys)
    _say({"open": True})
    while True:
        _say({"begin": act})
        if act == "train":
            _train(desk, rng, keys)
        elif act == "evaluate":
            for _ in desk.learning.evaluate(folds=3, seed=rng.randrange(1000)):
                pass
            _say({"done": act})
        else:
            _serve(desk, rng, back=act == "rollback")
        _correct(desk, rng, keys)


def _open(folder: Path) -> None:
    """Open and close until killed; what is imported for it is there before the first time."""
    import mmreview.ml.trainer
    import mmreview.services.learning
    import mmreview.services.simulating
    import mmreview.store.engine  # noqa: F401

    while True:
        _say({"begin": "open"})
        desk = ProjectOpener(device="cpu").open(folder)
        desk.predicting.serve()
        _say({"done": "open"})
        desk.close()


def _train(desk, rng, keys) -> None:
    options = TrainingOptions(seed=rng.randrange(1000))
    round_of_training = desk.learning.train(actor="ana", options=options)
    while True:
        try:
            next(round_of_training)
        except StopIteration as done:
            version = done.value
            break
        if rng.random() < 0.1:
            _correct(desk, rng, keys)
    _say({"version": version.id, "sha256": version.sha256})
    desk.predicting.serve()


def _serve(desk, rng, *, back: bool) -> None:
    champion = desk.learning.champion()
    if back and champion.parent is not None:
        changed = desk.learning.rollback(actor="ana")
    else:
        others = [v.id for v in desk.learning.versions() if v.id != champion.id]
        changed = desk.learning.promote(rng.choice(others), actor="ana")
    _say({"serves": changed.version})
    desk.predicting.serve()


def _correct(desk, rng, keys) -> None:
    finding = rng.choice(desk.cases.schema.names)
    correction = Correction(rng.choice(keys), finding, rng.choice(READER_STATES), "ana")
    change = desk.reviewing.correct(correction)
    _say({"seq": change.seq})


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


# --- the parent ---------------------------------------------------------------------------------


def one_round(folder: Path, *, seed: int, act: str, longest: dict[str, float]) -> Outcome:
    """Kill a child at a random moment of ``act`` and look at what is left. ``longest`` is how long
    each act took at most so far, in seconds; it learns. What opens is given something to do."""
    lines: list[dict] = []
    if act == "open":
        _, problem = killed(
            folder, seed=seed + 100_000, act="train", longest=longest, told=lines
        )
        if problem:
            return Outcome(act, 0, 0, 0, (problem,), 0, 0)
    delay, problem = killed(folder, seed=seed, act=act, longest=longest, told=lines)
    if problem:
        return Outcome(act, 0, 0, 0, (problem,), 0, 0)
    return judge(folder, act, lines, delay)


def killed(
    folder: Path, *, seed: int, act: str, longest: dict[str, float], told: list[dict]
) -> tuple[float, str]:
    """Start a child and kill it in the middle of ``act``: after how many seconds, and why not.
    ``told`` gets what it said."""
    rng = random.Random(seed)
    command = [sys.executable, __file__, "session", str(folder), str(seed), act]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    # The first or the second time that the act begins; only the first opening finds what was left.
    wait_for = 1 if act == "open" else rng.randrange(1, 3)
    begun = 0.0
    while wait_for and (line := child.stdout.readline()):
        told.append(json.loads(line))
        if "begin" in told[-1]:
            wait_for -= 1
            if begun:
                longest[act] = max(longest[act], time.monotonic() - begun)
            begun = time.monotonic()
    delay = rng.uniform(0.0, longest[act])
    time.sleep(delay)
    child.kill()
    rest = child.stdout.read()
    child.stdout.close()
    told += [json.loads(line) for line in rest.split(b"\n")[:-1]]
    ended = child.wait()
    return delay, "" if ended == -9 else f"the child ended by itself: {ended}"


def judge(folder: Path, act: str, told: list[dict], seconds: float) -> Outcome:
    """Open the project as the next start would and hold it against what was told."""
    desk = ProjectOpener(device="cpu").open(folder)
    try:
        found = {event.seq for event in desk.events.events() if event.kind == "correction"}
        corrections = {line["seq"] for line in told if "seq" in line}
        problems = [*_versions(desk, told), *_orphans(folder)]
        problems += [m.code for m in _run(desk.auditing.verify())]
        if any(r.state in UNFINISHED for r in desk.learning.rounds(1000)):
            problems.append("a round never ended")
        return Outcome(
            act, sum("begin" not in line for line in told), len(corrections),
            len(corrections - found), tuple(problems), desk.learning.interrupted, seconds,
        )
    finally:
        desk.close()


def _versions(desk, told: list[dict]) -> list[str]:
    problems = []
    versions = {version.id: version for version in desk.learning.versions()}
    serving = [v.id for v in versions.values() if v.role is Role.CHAMPION]
    if len(serving) != 1:
        problems.append(f"{len(serving)} champions")
    for line in told:
        number = line.get("version")
        if number and (number not in versions or versions[number].sha256 != line["sha256"]):
            problems.append(f"version {number} was told and is not there")
    acts = [line["serves"] for line in told if "serves" in line]
    kinds = ("version_promoted", "version_rolled_back")
    events = [e.data["version"] for e in desk.events.events() if e.kind in kinds]
    # One act may be durable that the child did not live to tell.
    if acts and acts[-1] not in events[-2:]:
        problems.append(f"version {acts[-1]} was told to serve and never did")
    try:
        desk.predicting.serve()
        case = next(iter(desk.cases.batches()))[0]
        prediction, _ = desk.predicting.opinion(case)
        if prediction is None or prediction.version not in serving:
            problems.append("the champion does not answer")
    except MmreviewError as error:
        problems.append(error.code)
    return problems


def _orphans(folder: Path) -> list[str]:
    files = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return [f"left behind: {name}" for name in files if not _OWNED.fullmatch(name)]


def _run(work) -> list:
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def report(folder: Path, *, rounds: int, seed: int) -> bool:
    """Run and print the table; True if nothing was wrong."""
    outcomes = []
    longest = {"train": 2.0, "evaluate": 2.0, "promote": 0.1, "rollback": 0.1, "open": 0.25}
    for number in range(rounds):
        act = ACTS[number % len(ACTS)]
        outcomes.append(one_round(folder, seed=seed + number, act=act, longest=longest))
        for problem in outcomes[-1].problems:
            print(f"round {number}, {act}: {problem}", flush=True)
    killed = Counter(f"killed in {outcome.act}" for outcome in outcomes)
    print(f"seed {seed}")
    for words, count in killed.items():
        print(f"{words:<60}{count:>6}")
    print(f"{'rounds of training that the kill cut off':<60}"
          f"{sum(o.interrupted for o in outcomes):>6}")
    print(f"{'corrections told':<60}{sum(o.corrections for o in outcomes):>6}")
    print(f"{'of these lost':<60}{sum(o.lost for o in outcomes):>6}")
    print(f"{'projects with a problem afterwards':<60}"
          f"{sum(bool(o.problems) for o in outcomes):>6}")
    return not any(o.lost or o.problems for o in outcomes)


if __name__ == "__main__" and sys.argv[1:2] == ["session"]:
    session(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
