"""Manifests as they come: JSON lines and tables, good rows and every kind of bad one."""

import json
from pathlib import Path

import pytest

from mmreview.domain.errors import MmreviewError, SourceUnreadable
from mmreview.domain.findings import State
from mmreview.formats import open_source, rows
from mmreview.formats.columns import parse_columns

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"
PRESENT, ABSENT, UNCERTAIN = State.PRESENT, State.ABSENT, State.UNCERTAIN


def read(path, **options):
    return list(open_source(path, **options).rows())


def jsonl(tmp_path, *lines, name="m.jsonl"):
    """A manifest; values that are not bytes are written as JSON."""
    encoded = [
        line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()
        for line in lines
    ]
    (tmp_path / name).write_bytes(b"\n".join(encoded) + b"\n")
    return tmp_path / name


def table(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problem(row):
    assert row.problem is not None, row
    assert row.problem.params["line"] == row.line
    return row.problem.code


# --- JSON lines -------------------------------------------------------------------------------


def test_every_field_arrives(tmp_path):
    [row] = read(
        jsonl(
            tmp_path,
            {
                "id": "c1", "images": ["a.png", "b.png"], "report": "Clear.", "patient_id": 7,
                "labels": {"Edema": "present", "Fracture": "not assessable", "Mass": 0,
                           "Nodule": -1, "Other": None, "Rib": True},
                "labels_complete": True, "split_group": "g", "accession": "A1",
                "study_date": "2020-01-01", "view": ["PA", "LL"], "sex": "F", "more": {"x": [1]},
            },
        )
    )
    assert (row.line, row.id, row.images, row.report) == (1, "c1", ("a.png", "b.png"), "Clear.")
    assert row.labels == {
        "Edema": PRESENT, "Fracture": State.NOT_ASSESSABLE, "Mass": ABSENT, "Nodule": UNCERTAIN,
        "Other": State.UNSET, "Rib": PRESENT,
    }
    assert (row.patient_id, row.split_group, row.accession) == ("7", "g", "A1")
    assert (row.study_date, row.views) == ("2020-01-01", ("PA", "LL"))
    assert row.labels_complete is True
    assert row.metadata == {"sex": "F", "more": {"x": [1]}}


def test_lists_of_labels_and_completeness(tmp_path):
    path = jsonl(
        tmp_path,
        {"id": "a", "labels": ["Edema"]},
        {"id": "b", "labels": [], "labels_complete": True},
        {"id": "c", "labels": [], "labels_complete": False},
        {"id": "d"},
        {"id": "e", "labels": None},
    )
    found = read(path)
    assert [row.labels for row in found] == [{"Edema": PRESENT}, {}, {}, None, None]
    assert [row.labels_complete for row in found] == [False, True, False, False, False]
    complete = [row.labels_complete for row in read(path, labels_complete=True)]
    assert complete == [True, True, False, True, True]  # the row's own word holds


@pytest.mark.parametrize("report", ["", "  \n", None])
def test_a_blank_report_is_none(tmp_path, report):
    assert read(jsonl(tmp_path, {"id": "a", "report": report}))[0].report is None


@pytest.mark.parametrize(("given", "expected"), [(12, "12"), (12.0, "12"), (1.5, "1.5")])
def test_numbers_may_be_ids(tmp_path, given, expected):
    assert read(jsonl(tmp_path, {"id": given}))[0].id == expected


def test_one_view_stands_for_all_images(tmp_path):
    [row] = read(jsonl(tmp_path, {"id": "a", "images": ["x", "y"], "view": "PA"}))
    assert row.views == ("PA", "PA")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "import.not_json"),
        (b'{"id": "a", "x": NaN}', "import.not_json"),
        (b'{"id": "a", "x": -Infinity}', "import.not_json"),
        (b'{"id": "a", "dose": 1e999}', "import.not_json"),  # no JSON could export it
        (b"[" * 100_000, "import.not_json"),
        (b'{"id": ' + b"9" * 5000 + b"}", "import.not_json"),
        (b'"a"', "import.not_an_object"),
        (b"[1]", "import.not_an_object"),
        (b'{"id": "caf\xe9"}', "import.not_utf8"),
        (b'{"id": "a", "report": "\\ud800"}', "import.text_unsound"),
        (b'{"id": "a", "report": "x\\u0000y"}', "import.text_unsound"),
        (b'{"id": "a", "deep": [{"k\\u0000": 1}]}', "import.text_unsound"),
        (b'{"id": "a\\nb"}', "import.text_unsound"),
        ({"image": "a.png"}, "import.no_id"),
        ({"id": ""}, "import.no_id"),
        ({"id": None}, "import.no_id"),
        ({"id": ["a"]}, "import.not_text"),
        ({"id": True}, "import.not_text"),
        ({"id": "a", "patient_id": {}}, "import.not_text"),
        ({"id": "a", "report": 5}, "import.not_text"),
        ({"id": "a", "images": 5}, "import.not_texts"),
        ({"id": "a", "images": ["x", 5]}, "import.not_texts"),
        ({"id": "a", "labels": [1]}, "import.not_texts"),
        ({"id": "a", "labels_complete": "yes"}, "import.not_boolean"),
        ({"id": "a", "labels": {"Edema": "maybe"}}, "import.state_unknown"),
        ({"id": "a", "labels": {"Edema": 2}}, "import.state_unknown"),
        ({"id": "a", "labels": {"Edema": ["x"]}}, "import.state_unknown"),
        ({"id": "a", "images": ["x", "y", "z"], "view": ["PA", "LL"]}, "import.views_differ"),
    ],
)
def test_a_bad_line_is_named_and_the_next_one_is_read(tmp_path, line, code):
    first, bad, last = read(jsonl(tmp_path, {"id": "1"}, line, {"id": "3"}))
    assert (first.id, last.id, last.line) == ("1", "3", 3)
    assert problem(bad) == code


def test_marks_line_ends_and_blank_lines(tmp_path):
    path = tmp_path / "m.ndjson"
    path.write_bytes(b'\xef\xbb\xbf{"id": "a"}\r\n\r\n   \r\n{"id": "\xc3\xa9"}')
    assert [(row.line, row.id) for row in read(path)] == [(1, "a"), (4, "é")]
    assert open_source(path).count() == 4


def test_a_line_without_end_is_skipped_not_held(tmp_path, monkeypatch):
    monkeypatch.setattr("mmreview.formats.jsonl.MAX_TEXT", 100)
    path = jsonl(tmp_path, {"id": "a"}, {"id": "b", "report": "x" * 1000}, {"id": "c"})
    found = read(path)
    assert [row.id for row in found] == ["a", "", "c"]
    assert problem(found[1]) == "import.line_too_long"


def test_columns_rename_join_and_leave_the_rest_as_metadata(tmp_path):
    path = jsonl(
        tmp_path,
        {"study": "s", "image": "a.png", "extra_frames": ["b.png", "a.png"], "id": "ignored",
         "findings": "F.", "impression": "I."},
    )
    columns = parse_columns("id=study,images=image+extra_frames,report=findings+impression")
    [row] = read(path, columns=columns)
    assert (row.id, row.images, row.report) == ("s", ("a.png", "b.png"), "F.\n\nI.")
    assert row.metadata == {"id": "ignored"}


# --- tables -----------------------------------------------------------------------------------


def test_a_table_with_quotes_lines_and_lists(tmp_path):
    text = (
        "id,images,report,labels,labels_complete,sex,\n"
        'a,x.png;y.png,"Two\nlines, ""quoted""",Edema; Mass,yes,F,\n'
        "\n"
        'b,"[""z;1.png""]",,"{""Edema"": ""absent""}",,,\n'
        "c,,r,Edema|Mass,0,,\n"
        'd,,r,"Edema, Mass",,,\n'
        "e,,r,,,,\n"
    )
    found = read(table(tmp_path, text))
    assert [row.problem for row in found] == [None] * 5
    assert [row.line for row in found] == [2, 5, 6, 7, 8]
    assert found[0].images == ("x.png", "y.png")
    assert found[0].report == 'Two\nlines, "quoted"'
    assert (found[0].labels_complete, found[2].labels_complete) == (True, False)
    assert found[1].images == ("z;1.png",)
    both = {"Edema": PRESENT, "Mass": PRESENT}
    assert [row.labels for row in found] == [both, {"Edema": ABSENT}, both, both, None]
    assert found[0].metadata == {"sex": "F"}
    assert open_source(tmp_path / "t.csv").count() == 5


def test_a_column_for_each_finding(tmp_path):
    text = "id\tEdema\tMass\tRib\na\t1.0\t-1\t\nb\t0\tpresent\t0.0\n"
    columns = parse_columns("labels=Edema+Mass+Rib")
    found = read(table(tmp_path, text, "t.tsv"), columns=columns)
    assert found[0].labels == {"Edema": PRESENT, "Mass": UNCERTAIN}
    assert found[1].labels == {"Edema": ABSENT, "Mass": PRESENT, "Rib": ABSENT}


def test_semicolons_part_columns_too(tmp_path):
    [row] = read(table(tmp_path, "\ufeffid;report\n1;a, b\n"))
    assert (row.id, row.report) == ("1", "a, b")


def test_one_column_may_serve_two_fields(tmp_path):
    columns = parse_columns("id=filename,image=filename")
    [row] = read(table(tmp_path, "filename,x\na.png,1\n"), columns=columns)
    assert (row.id, row.images, row.metadata) == ("a.png", ("a.png",), {"x": "1"})


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"a", "import.cells_differ"),
        (b"a,r,l,4,5", "import.cells_differ"),
        (b"a,caf\xe9,,", "import.not_utf8"),
        (b"a,x\0y,,", "import.text_unsound"),
        (b",r,,", "import.no_id"),
        (b'a,r,"[1",', "import.cell_invalid"),
        (b"a,r,,maybe", "import.cell_invalid"),
        (b'a,"r"x,,', "import.not_a_table_row"),
    ],
)
def test_a_bad_table_row_is_named_and_the_next_one_is_read(tmp_path, line, code):
    text = b"id,report,labels,labels_complete\n1,r,,\n" + line + b"\n3,r,,\n"
    first, bad, last = read(table(tmp_path, text))
    assert (first.id, last.id, last.line) == ("1", "3", 4)
    assert problem(bad) == code


def test_a_quote_that_is_never_closed_does_not_swallow_rows_in_silence(tmp_path):
    found = read(table(tmp_path, 'id,report\n1,r\n2,"r\n3,r\n'))
    assert found[0].id == "1"
    assert problem(found[1]) == "import.not_a_table_row"
    assert found[1].line == 3


@pytest.mark.parametrize(
    ("text", "columns", "code"),
    [
        ("name,report\n1,r\n", None, "error.source_column_missing"),
        ("id,report\n1,r\n", "report=notes", "error.source_column_missing"),
        ("id,a,a\n1,r,s\n", None, "error.source_column_repeated"),
        ('"id,a\n1,r\n', None, "error.source_unreadable"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, columns, code):
    with pytest.raises(SourceUnreadable) as caught:
        open_source(table(tmp_path, text), columns=parse_columns(columns) if columns else None)
    assert caught.value.code == code


# --- finding the manifest ---------------------------------------------------------------------


def test_a_folder_with_one_manifest(tmp_path):
    jsonl(tmp_path, {"id": "a"})
    (tmp_path / "note.txt").write_text("x")
    source = open_source(tmp_path)
    assert (source.source, source.root) == (tmp_path / "m.jsonl", tmp_path)
    table(tmp_path, "id\nb\n")
    with pytest.raises(SourceUnreadable) as caught:
        open_source(tmp_path)
    assert caught.value.code == "error.source_ambiguous"
    assert caught.value.params["found"] == "m.jsonl, t.csv"
    assert [row.id for row in read(tmp_path, format="csv")] == ["b"]


def test_sources_that_cannot_be_opened(tmp_path):
    def code(path, **options):
        with pytest.raises(MmreviewError) as caught:
            open_source(path, **options)
        return caught.value.code

    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "wide.jsonl").write_text('{"id": 1}', encoding="utf-16")
    (tmp_path / "a.json").write_text('{"id": 1}')
    (tmp_path / "folder").mkdir()
    assert code(tmp_path / "none.jsonl") == "error.source_missing"
    assert code(tmp_path / "empty.jsonl") == "error.source_empty"
    assert code(tmp_path / "a.json") == "error.source_unknown"
    assert code(tmp_path / "folder") == "error.source_without_manifest"
    assert code(tmp_path / "a.json", format="xml") == "error.format_not_found"
    assert [row.id for row in read(tmp_path / "a.json", format="jsonl")] == ["1"]
    with pytest.raises(SourceUnreadable) as caught:
        read(tmp_path / "wide.jsonl")
    assert caught.value.code == "error.source_encoding"


def test_rows_are_read_one_at_a_time(tmp_path):
    path = jsonl(tmp_path, *({"id": str(n)} for n in range(1000)))
    found = open_source(path).rows()
    assert next(found).id == "0"
    found.close()  # the file with it: an open one would be a ResourceWarning, which fails


def test_long_cells_within_the_limit_are_read(tmp_path):
    text = "x" * 300_000
    assert read(table(tmp_path, f"id,report\na,{text}\n"))[0].report == text
    assert len(text) < rows.MAX_TEXT


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
def test_real_manifests_have_no_problem():
    found = read(SHARED / "covid_chestxray" / "pairs.jsonl", labels_complete=True)
    assert len(found) == 577 and not [row for row in found if row.problem]
    columns = parse_columns(
        "id=filename,image=filename,report=clinical_notes,labels=finding,patient=patientid"
    )
    found = read(SHARED / "covid_chestxray" / "metadata.csv", columns=columns)
    assert len(found) == 573 and not [row for row in found if row.problem]
    frames = parse_columns("images=image+extra_frames")
    found = read(SHARED / "pocus_lung_ultrasound" / "pairs.jsonl", columns=frames)
    assert max(len(row.images) for row in found) == 3
