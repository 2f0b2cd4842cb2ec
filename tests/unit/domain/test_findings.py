import pytest

from mmreview.domain.errors import FindingNotFound, StatesContradict
from mmreview.domain.findings import (
    Basis,
    ExclusiveGroup,
    Exclusivity,
    Finding,
    FindingSchema,
    State,
)

SCHEMA = FindingSchema("demo", (Finding("Edema"), Finding("Pleural Effusion")))


def test_canonical_ignores_case():
    assert SCHEMA.canonical("pleural effusion") == "Pleural Effusion"


def test_unknown_finding_names_the_known_ones():
    with pytest.raises(FindingNotFound) as caught:
        SCHEMA.index("Fracture")
    assert caught.value.params == {"finding": "Fracture", "known": "Edema, Pleural Effusion"}


@pytest.mark.parametrize(
    ("basis", "image", "text"),
    [(Basis.BOTH, True, True), (Basis.IMAGE, True, False), (Basis.REPORT, False, True)],
)
def test_a_basis_teaches_only_the_modalities_it_rests_on(basis, image, text):
    assert (basis.covers("image"), basis.covers("text")) == (image, text)


GRADES = FindingSchema(
    "grades",
    tuple(Finding(name) for name in ("None", "Mild", "Severe", "Left", "Right", "Fracture")),
    (
        ExclusiveGroup("Severity", Exclusivity.ONE_OF, ("None", "Mild", "Severe")),
        ExclusiveGroup("Side", Exclusivity.AT_MOST_ONE, ("Left", "Right")),
    ),
)
P, A, U = State.PRESENT, State.ABSENT, State.UNCERTAIN


def test_only_present_implies_that_the_others_of_its_group_are_absent():
    assert GRADES.implied_absent("Mild", P) == ("None", "Severe")
    assert GRADES.implied_absent("Left", P) == ("Right",)
    assert GRADES.implied_absent("Mild", A) == ()
    assert GRADES.implied_absent("Fracture", P) == ()


def test_what_is_said_of_a_group_implies_what_is_not():
    assert GRADES.settled({"Mild": P, "Fracture": A}) == {
        "None": A, "Mild": P, "Severe": A, "Fracture": A
    }
    assert GRADES.settled({"Mild": P, "Severe": U})["Severe"] is U
    assert GRADES.settled({"Mild": A, "None": A}) == {"Mild": A, "None": A}
    assert GRADES.settled({"Left": A, "Right": A}) == {"Left": A, "Right": A}


@pytest.mark.parametrize(
    ("states", "code", "params"),
    [
        ({"Mild": P, "Severe": P}, "import.states_exclusive",
         {"group": "Severity", "findings": "Mild, Severe"}),
        ({"Left": P, "Right": P}, "import.states_exclusive", {"group": "Side"}),
        ({"None": A, "Mild": A, "Severe": A}, "import.states_none", {"group": "Severity"}),
    ],
)
def test_states_that_contradict_in_a_group_are_refused(states, code, params):
    with pytest.raises(StatesContradict) as refused:
        GRADES.settled(states)
    assert refused.value.code == code
    assert params.items() <= refused.value.params.items()
