"""Finding schemas: the built-in one and every way a person's file can be wrong."""

from pathlib import Path

import pytest

from mmreview.domain.errors import SchemaInvalid
from mmreview.domain.findings import ExclusiveGroup, Exclusivity
from mmreview.formats.schema import built_in_schemas, read_schema

CHEXPERT = [
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion",
    "Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
    "Pleural Other", "Fracture", "Support Devices",
]


def test_chexpert_is_built_in_and_whole():
    schema = read_schema("chexpert-14")
    assert "chexpert-14" in built_in_schemas()
    assert (schema.name, list(schema.names)) == ("chexpert-14", CHEXPERT)
    assert len({finding.abbreviation for finding in schema.findings}) == 14
    assert all(finding.group and finding.phrases for finding in schema.findings)
    summary = schema.findings[0]
    assert "Support Devices" not in summary.excludes and len(summary.excludes) == 12


def test_the_schema_of_the_end_to_end_test_reads():
    path = Path(__file__).parents[2] / "e2e" / "covid-schema.yaml"
    assert "COVID-19" in read_schema(str(path))


def written(tmp_path, text):
    path = tmp_path / "own.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_a_file_of_ones_own(tmp_path):
    text = (
        "\ufeffname: mine\nfindings:\n- name: ' Mass '\n  abbreviation: M\n"
        "- {name: Clear, excludes: [mass], phrases: [clear lungs]}\n"
    )
    schema = read_schema(written(tmp_path, text))
    assert schema.names == ("Mass", "Clear")
    assert schema.findings[1].excludes == ("Mass",)  # in the schema's own spelling


GROUPS = "name: a\nfindings: [{name: A}, {name: B}, {name: C}, {name: D}]\n"


def test_findings_of_a_group_stand_together_in_its_order(tmp_path):
    text = (
        GROUPS + "one_of: [{name: grade, findings: [d, B]}]\n"
        "at_most_one: [{name: side, findings: [A, C]}]\n"
    )
    schema = read_schema(written(tmp_path, text))
    assert schema.names == ("A", "C", "D", "B")
    assert schema.groups == (
        ExclusiveGroup("grade", Exclusivity.ONE_OF, ("D", "B")),
        ExclusiveGroup("side", Exclusivity.AT_MOST_ONE, ("A", "C")),
    )


def test_the_example_of_groups_is_built_in():
    schema = read_schema("diagnosis")
    assert [group.name for group in schema.groups] == ["Diagnosis", "Opacity", "Side of effusion"]
    assert schema.group_of("Support Devices") is None


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        ("", "error.schema_not_mapping", {"where": "schema"}),
        ("- a\n- b", "error.schema_not_mapping", {"where": "schema"}),
        ("name: [", "error.schema_not_yaml", {}),
        (b"name: \xff\xfe", "error.schema_not_yaml", {}),
        ("!!python/object/apply:os.getcwd []", "error.schema_not_yaml", {}),
        ("findings: [{name: A}]", "error.schema_key_missing", {"key": "name"}),
        ("name: a", "error.schema_without_findings", {}),
        ("name: a\nfindings: []", "error.schema_without_findings", {}),
        ("name: a\nfindings: A", "error.schema_without_findings", {}),
        ("name: a\nfindings: [A]", "error.schema_not_mapping", {"where": "findings[1]"}),
        ("name: a\nfindings: [{name: A}, {group: g}]", "error.schema_key_missing",
         {"where": "findings[2]", "key": "name"}),
        ("name: a\nfindings: [{name: No}]", "error.schema_not_text",
         {"where": "findings[1].name"}),
        ("name: a\nfindings: [{name: ' '}]", "error.schema_not_text", {}),
        ("name: a\nfindings: [{name: A, phrase: [x]}]", "error.schema_key", {"key": "phrase"}),
        ("name: a\nfindings: [{name: A, phrases: x}]", "error.schema_not_texts",
         {"where": "findings[1].phrases"}),
        ("name: a\nfindings: [{name: A}, {name: a}]", "error.schema_repeated", {"finding": "a"}),
        ("name: a\nfindings: [{name: A, excludes: [B]}]", "error.schema_excludes",
         {"finding": "A", "excluded": "B"}),
        ("name: a\nfindings: [{name: A, excludes: [A]}]", "error.schema_excludes", {}),
        ("#" * (1 << 21), "error.schema_too_large", {}),
        (GROUPS + "one_of: {name: g}", "error.schema_not_list", {"where": "one_of"}),
        (GROUPS + "one_of: [A]", "error.schema_not_mapping", {"where": "one_of[1]"}),
        (GROUPS + "one_of: [{name: g, finding: [A]}]", "error.schema_key", {"key": "finding"}),
        (GROUPS + "one_of: [{findings: [A, B]}]", "error.schema_key_missing", {"key": "name"}),
        (GROUPS + "one_of: [{name: g, findings: [A, X]}]", "error.schema_group_unknown",
         {"where": "one_of[1]", "finding": "X"}),
        (GROUPS + "one_of: [{name: g, findings: [A]}]", "error.schema_group_small",
         {"where": "one_of[1]", "group": "g"}),
        (GROUPS + "at_most_one: [{name: g}]", "error.schema_group_small", {"group": "g"}),
        (GROUPS + "one_of: [{name: g, findings: [A, a]}]", "error.schema_group_twice",
         {"finding": "a", "group": "g"}),
        (GROUPS + "one_of: [{name: g, findings: [A, B]}]\n"
         "at_most_one: [{name: h, findings: [C, b]}]", "error.schema_group_twice",
         {"where": "at_most_one[1]", "finding": "b", "group": "g"}),
        (GROUPS + "one_of: [{name: g, findings: [A, B]}, {name: G, findings: [C, D]}]",
         "error.schema_group_repeated", {"where": "one_of[2]", "group": "G"}),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, code, params):
    path = written(tmp_path, text)
    with pytest.raises(SchemaInvalid) as caught:
        read_schema(path)
    assert caught.value.code == code
    assert caught.value.params["path"] == path
    assert params.items() <= caught.value.params.items()


def test_unknown_names_and_missing_files(tmp_path):
    with pytest.raises(SchemaInvalid) as caught:
        read_schema("chexpert-15")
    assert caught.value.code == "error.schema_not_found"
    assert "chexpert-14" in caught.value.params["known"]
    with pytest.raises(SchemaInvalid) as caught:
        read_schema(str(tmp_path / "none.yaml"))
    assert caught.value.code == "error.schema_invalid"
