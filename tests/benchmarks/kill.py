"""Kill -9 at random moments of a scripted session of corrections: nothing acknowledged is lost.

    python tests/benchmarks/kill.py [--rounds N] [--seed S]
    python tests/benchmarks/kill.py --what training    (see ``kill_training``)

A child process corrects findings through ``services.reviewing``, takes some back, commits reads,
and prints a line after each act, so after its commit. It is killed at a random moment. Then the
project is opened again: every printed act must be in the trail, at most one act may be there that
was not printed yet, an act of several corrections (exclusive groups) must be there as a whole, the
states must be those that the acts give, and ``verify`` must find nothing.
(That one act is there nearly always: a session spends its time waiting for the disk, when SQLite
has written the transaction and is not yet told that it is safe.)
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mmreview.domain.cases import Partition
from mmreview.domain.findings import (
    READER_STATES,
    ExclusiveGroup,
    Exclusivity,
    Finding,
    FindingSchema,
)
from mmreview.domain.ports import CaseDraft
from mmreview.domain.reads import Correction
from mmreview.services.reviewing import Reviewing
from mmreview.store.audit import verify_trail
from mmreview.store.engine import create_store, open_store

_NAMES = tuple(f"Finding {i}" for i in range(14))
SCHEMA = FindingSchema(
    "kill",
    tuple(map(Finding, _NAMES)),
    (
        ExclusiveGroup("one", Exclusivity.ONE_OF, _NAMES[:4]),
        ExclusiveGroup("most", Exclusivity.AT_MOST_ONE, _NAMES[4:6]),
    ),
)
CASES = 50


@dataclass(frozen=True)
class Outcome:
    """What one round left: acts printed, acts found beyond them, seconds until the kill."""

    acknowledged: int
    lost: int
    beyond: int
    problems: tuple[str, ...]
    seconds: float
    reopened: float


def make_project(folder: Path) -> None:
    store = create_store(folder, SCHEMA)
    store.cases.upsert([draft(number) for number in range(CASES)])
    store.close()


def draft(number: int) -> CaseDraft:
    return CaseDraft(
        id=f"case-{number}",
        group=f"patient-{number}",
        partition=Partition.TRAIN,
        images=(),
        report="No edema.",
        report_sha256="",
        patient_id="",
        accession="",
        study_date="",
        metadata={},
        labels={},
        fingerprint=str(number),
    )


def session(folder: Path, seed: int) -> None:
    """The child: acts until it is killed; one JSON line for each, when it is durable."""
    rng = random.Random(seed)
    store = open_store(folder)
    reviewing = Reviewing(
        cases=store.cases, events=store.events, predicting=None, folder=store.folder
    )
    say({"open": True})
    while True:
        act = rng.random()
        key = rng.randrange(1, CASES + 1)
        if act < 0.85:
            correction = Correction(
                case_key=key,
                finding=rng.choice(SCHEMA.names),
                state=rng.choice(READER_STATES),
                reader="ana",
            )
            change = reviewing.correct(correction)
        elif act < 0.95:
            change = reviewing.undo("ana")
        else:
            say({"seq": reviewing.commit_read(key, reader="ana").seq})
            continue
        if change is not None:
            made = {s.finding: str(s.state) for s in (*change.implied, change.after)}
            say({"seq": change.seq, "case": change.case, "states": made})


def say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def one_round(folder: Path, *, seed: int, longest: float = 0.6) -> Outcome:
    """Kill one session at a random moment and look at what is left."""
    command = [sys.executable, __file__, "session", str(folder), str(seed)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    first = child.stdout.readline()
    begin = time.perf_counter()
    # The pipe holds more than a session can say before it is killed.
    time.sleep(random.Random(seed + 1).uniform(0.0, longest))
    child.kill()
    seconds = time.perf_counter() - begin
    rest = child.stdout.read()
    child.stdout.close()
    child.wait()
    whole = [json.loads(line) for line in (first + rest).split(b"\n")[:-1]]
    return judge(folder, [line for line in whole if "seq" in line], seconds)


def judge(folder: Path, acts: list[dict], seconds: float) -> Outcome:
    begin = time.perf_counter()
    store = open_store(folder)
    reopened = time.perf_counter() - begin
    try:
        before = acts[0]["seq"] - 1 if acts else store.events.last_seq()
        last = max((act["seq"] for act in acts), default=before)
        found = {event.seq: event for event in store.events.events(after=before)}
        lost = {act["seq"] for act in acts} - found.keys()
        problems = [message.code for message in verify_trail(store)]
        after = [event for seq, event in found.items() if seq > last]
        beyond = [event for event in after if "implied_by" not in event.data]
        if len(beyond) > 1:
            problems.append(f"{len(beyond)} acts beyond the acknowledged ones")
        if found and "implied_by" in found[max(found)].data:
            problems.append("an act of several corrections is cut")
        states = {
            (act["case"], finding): state
            for act in acts
            for finding, state in act.get("states", {}).items()
        }
        for event in after:  # what it changed is not what was told last
            states.pop((event.case, event.data.get("finding")), None)
        problems += differing(store, states)
        return Outcome(len(acts), len(lost), len(beyond), tuple(problems), seconds, reopened)
    finally:
        store.close()


def differing(store, states: dict[tuple[str, str], str]) -> list[str]:
    """Acknowledged states that do not hold any more (a later act would have said so)."""
    problems = []
    for (case, finding), wanted in states.items():
        held = store.cases.states(store.cases.find(case).key).get(finding)
        if (str(held.state) if held else "unset") != wanted:
            problems.append(f"{case}, {finding}: not {wanted}")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--what", choices=("corrections", "training"), default="corrections")
    parser.add_argument("--project", type=Path, help="training: kill in a copy of this project")
    options = parser.parse_args()
    if options.what == "training":
        import kill_training  # beside this script; imports the model room

        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "kill.mmreview"
            kill_training.make_project(folder, options.project)
            whole = kill_training.report(folder, rounds=options.rounds, seed=options.seed)
        sys.exit(not whole)
    outcomes = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "kill.mmreview"
        make_project(folder)
        for number in range(options.rounds):
            outcomes.append(one_round(folder, seed=options.seed + 2 * number))
    print(f"seed {options.seed}")
    print(f"{'killed sessions':<44}{len(outcomes):>8}")
    print(f"{'acknowledged acts':<44}{sum(o.acknowledged for o in outcomes):>8}")
    print(f"{'of these lost':<44}{sum(o.lost for o in outcomes):>8}")
    print(f"{'acts written, killed before they were told':<44}{sum(o.beyond for o in outcomes):>8}")
    print(f"{'rounds with a problem':<44}{sum(bool(o.problems) for o in outcomes):>8}")
    print(f"{'slowest opening afterwards, ms':<44}{1e3 * max(o.reopened for o in outcomes):>8.1f}")
    for outcome in outcomes:
        for problem in outcome.problems:
            print("  ", problem)
    sys.exit(any(o.lost or o.problems for o in outcomes))


if __name__ == "__main__":
    if sys.argv[1:2] == ["session"]:
        session(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
