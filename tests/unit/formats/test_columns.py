"""The ``--columns`` option: what it renames, and which part of it is wrong."""

import pytest

from mmreview.domain.errors import MmreviewError
from mmreview.formats.columns import DEFAULT_COLUMNS, parse_columns


def test_named_fields_are_renamed_and_the_others_stay():
    columns = parse_columns("id=filename, image=picture ,report=clinical notes,patient=pid")
    assert columns.fields["id"] == ("filename",)
    assert columns.fields["images"] == ("picture",)
    assert columns.fields["report"] == ("clinical notes",)
    assert columns.fields["patient_id"] == ("pid",)
    assert columns.fields["labels"] == DEFAULT_COLUMNS["labels"]
    assert columns.named == ("filename", "picture", "clinical notes", "pid")


def test_plus_joins():
    assert parse_columns("images=image+extra_frames").fields["images"] == ("image", "extra_frames")


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("id", "error.columns_invalid", "id"),
        ("", "error.columns_invalid", ""),
        ("id=a,", "error.columns_invalid", ""),
        ("id=a,picture=b", "error.columns_invalid", "picture=b"),
        ("report=a+", "error.columns_invalid", "report=a+"),
        ("image=a,images=b", "error.columns_repeated", "images=b"),
        ("id=a+b", "error.columns_not_joined", "id=a+b"),
    ],
)
def test_the_part_that_is_wrong_is_named(text, code, part):
    with pytest.raises(MmreviewError) as caught:
        parse_columns(text)
    assert (caught.value.code, caught.value.params["part"]) == (code, part)
