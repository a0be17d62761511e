"""The reader of `.ts` files: what is read, and what is said of what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddbench.datasets.ts_format import read_ts
from ddbench.errors import DataError

HEAD = "#said\n@problemName Made\n@timeStamps false\n@univariate false\n@classLabel true a b\n@data\n"


def file(tmp_path: Path, body: str, head: str = HEAD) -> Path:
    path = tmp_path / "Made_TRAIN.ts"
    path.write_text(head + body)
    return path


def test_series_labels_and_lines(tmp_path):
    found = read_ts(file(tmp_path, "1,2,3:4,5,-6e1:b\n\n%note\n 0.5 , 1:2,3 : a\n"))
    assert found.class_names == ("a", "b")
    assert [s.tolist() for s in found.series] == [[[1, 2, 3], [4, 5, -60]], [[0.5, 1], [2, 3]]]
    assert (found.labels, found.lines) == (("b", "a"), (7, 10))
    assert found.series[0].dtype == "float32"


def test_gaps_are_filled_along_lines_where_asked(tmp_path):
    path = file(tmp_path, "?,1,nan,NaN,4,?:0,0,0,0,0,0:a\n")
    with pytest.raises(DataError, match=r"line 7: channel 0 lacks 4 of 6 values, first at position 0; `gaps: interp"):
        read_ts(path)
    assert read_ts(path, "interpolate").series[0][0].tolist() == [1, 1, 2, 3, 4, 4]
    with pytest.raises(DataError, match=r"channel 1 lacks 2 of 2 values, first at position 0\."):
        read_ts(file(tmp_path, "1,2:?,?:a\n"), "interpolate")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("1,2:3:a\n", r"line 7: its channels have unequal lengths \(2, 1\)"),
        ("1,2:3,4:a\n1,2:a\n", "line 8: 1 channels, where the first series has 2"),
        ("1,2:3,4:c\n", r"line 7: the class 'c' is none of the header's \(a, b\)"),
        ("1,2:3,x:a\n", "line 7: channel 1 holds 'x', which is no number"),
        ("1,inf:a\n", "line 7: channel 0 holds a value that is infinite"),
        ("a\n", "line 7: it has no ':'"),
        ("", "holds no series"),
        ("1:c\n" * 7, r"line 11: .*; and 2 more"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, body, says):
    with pytest.raises(DataError, match=says):
        read_ts(file(tmp_path, body))


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("", "no line @data"),
        ("@timeStamps True\n@classLabel true a b\n@data\n", "has time stamps"),
        ("@targetlabel true\n@data\n", "two classes or more"),
        ("@classLabel true a\n@data\n", "two classes or more"),
    ],
)
def test_files_of_another_kind(tmp_path, head, says):
    with pytest.raises(DataError, match=says):
        read_ts(file(tmp_path, "1:a\n", head))


def test_files_that_are_no_text_or_not_there(tmp_path):
    path = tmp_path / "x.ts"
    with pytest.raises(DataError, match="No such file"):
        read_ts(path)
    path.write_bytes(b"\xff\xfe@data")
    with pytest.raises(DataError, match="byte 0, in line 1, is not UTF-8"):
        read_ts(path)
