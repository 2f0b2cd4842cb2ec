import pytest

from mmreview.domain.errors import FindingNotFound
from mmreview.domain.findings import Basis, Finding, FindingSchema

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
