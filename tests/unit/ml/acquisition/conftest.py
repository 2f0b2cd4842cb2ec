"""Requests over a synthetic world, and versions trained in it."""

import numpy as np
import pytest

from mmreview.domain.acquisition import AcquisitionRequest
from mmreview.ml.acquisition import PolicyRegistry


def finish(work):
    """Run a generator to its end; returns what it returns and the steps on the way."""
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as done:
            return done.value, steps


class Asking:
    """Policies over one world: the first ``labelled`` cases have labels, the rest is the pool."""

    def __init__(self, world, rounds, labelled):
        self.world = world
        self.rounds = rounds
        self.registry = PolicyRegistry(world.features, load=rounds.trainer.load)
        self.labelled = labelled
        self.version = None

    @property
    def table(self):
        return self.world.table(rows=np.arange(self.labelled))

    @property
    def pool(self):
        return range(self.labelled, len(self.world.truth))

    def train(self, **options):
        self.version, _ = self.rounds.train(self.table, **options)
        return self.rounds.load(self.version)

    def request(self, policy, *, top=5, keys=None, **options):
        keys = list(self.pool if keys is None else keys)
        folder = self.rounds.folder / self.version.folder if self.version else None
        given = {
            "hashes": {m: [own[key] for key in keys] for m, own in self.world.hashes.items()},
            "table": self.table, "findings": self.world.findings,
            "version": self.version, "folder": folder,
        }
        return AcquisitionRequest(policy=policy, top=top, keys=keys, **{**given, **options})

    def rank(self, policy, **options):
        return finish(self.registry.rank(self.request(policy, **options)))[0]

    def steps(self, policy, **options):
        return finish(self.registry.rank(self.request(policy, **options)))[1]


@pytest.fixture
def ask(make_world, make_rounds):
    """``ask(cases=…, labelled=…)``: policies over a new world."""

    def make(*, labelled=120, **world):
        world = make_world(**world)
        return Asking(world, make_rounds(world), labelled)

    return make
