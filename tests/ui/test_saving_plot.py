"""The picture of a simulation."""

import pytest

from mmreview.domain.simulations import Curve, Simulation, SimulationOptions
from mmreview.ui import theme
from mmreview.ui.model.saving_plot import SavingPlot

FACTS = {"pool": 200, "held_out": 80, "findings": 9, "audit": 20}


def simulation(*, seeds=4, reaching=True):
    top = 0.9 if reaching else 0.7
    curves = [
        Curve(arm, seed, tuple((n, 0.5 + (top - 0.5) * min(1, n / (need + 4 * seed)))
                               for n in range(0, 201, 20)), full=0.92)
        for arm, need in (("random", 150), ("hybrid", 90))
        for seed in range(seeds)
    ]
    return Simulation(SimulationOptions(("hybrid",), seeds=seeds), tuple(curves), FACTS)


@pytest.mark.parametrize("name", ["dark", "light"])
@pytest.mark.parametrize("seeds, reaching", [(4, True), (1, False)])
def test_it_draws_and_says_what_is_saved(qtbot, qapp, name, seeds, reaching):
    theme.apply(qapp, name)
    plot = SavingPlot()
    qtbot.addWidget(plot)
    plot.resize(plot.minimumSizeHint())
    plot.show_simulation(simulation(seeds=seeds, reaching=reaching), project="p", synthetic=True)
    image = plot.grab().toImage()
    places = ((x, y) for x in range(0, image.width(), 5) for y in range(0, image.height(), 5))
    assert len({image.pixel(*place) for place in places}) > 5
    assert ("saves" in plot.accessibleName()) is reaching
    assert "hybrid" in plot.accessibleName()


def test_an_empty_one_draws_nothing(qtbot):
    plot = SavingPlot()
    qtbot.addWidget(plot)
    plot.resize(400, 300)
    assert not plot.grab().isNull()
