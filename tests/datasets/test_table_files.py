"""Tables of one's own: numbers, categories and gaps, sound and not."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from ddbench.data import load
from ddbench.datasets.penguins import Penguins
from ddbench.datasets.table_file import TableFile, TableFileConfig
from ddbench.errors import DataError
from ddbench.registry import contract_faults

HEADER = ("id", "size", "colour", "grade", "label")


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    return tmp_path


def made(n: int = 20, start: int = 0) -> list[list[str]]:
    """Rows of two classes; one size in five is missing, one colour in ten."""
    return [
        [
            f"r{i}",
            "" if i % 5 == 4 else f"{i / 2}",
            "NA" if i % 10 == 7 else ("red", "blue", "grey")[i % 3],
            str(1 + i % 2),
            ("no", "yes")[i // 2 % 2],
        ]
        for i in range(start, start + n)
    ]


def write(file: Path, rows, header=HEADER, encoding: str = "utf-8") -> None:
    with open(file, "w", encoding=encoding, newline="") as stream:
        csv.writer(stream, delimiter="\t" if file.suffix == ".tsv" else ",").writerows([header, *rows])


def table(**args) -> TableFile:
    return TableFile(TableFileConfig(**{"ignore": ("id",), "categorical": ("grade",), **args}))


def refusal(**args) -> str:
    with pytest.raises(DataError) as error:
        table(**args).card()
    return str(error.value)


def test_two_files_become_numbers_by_what_the_training_rows_say(data):
    train, test = made(), made(6, start=4)
    write(data / "a.csv", train)
    write(data / "b.csv", [row[::-1] for row in test], HEADER[::-1])  # columns in another order
    made_of = load(table(file="a.csv", test_file="b.csv"))
    sizes = [float(row[1]) for row in train if row[1]]
    mean = sum(sizes) / len(sizes)

    def by_hand(row: list[str]) -> list[float]:
        _, size, colour, grade, _ = row
        colours = [float(colour == c) for c in ("blue", "grey")] + [float(colour == "NA"), float(colour == "red")]
        return [float(size or mean), float(size == ""), *colours, float(grade == "1"), float(grade == "2")]

    for rows, split in ((train, made_of.train), (test, made_of.held_out)):
        assert torch.equal(split.signals, torch.tensor([by_hand(row) for row in rows]))
        assert split.labels.tolist() == [int(row[-1] == "yes") for row in rows]
    card = made_of.card
    assert (card.signal.shape, card.signal_bytes, card.class_names) == ((8,), 4 + 1 + 1, ("no", "yes"))
    x = made_of.signals(torch.arange(20)).double()
    assert torch.allclose(x.mean(0), torch.zeros(8).double(), atol=1e-6)
    assert torch.allclose(x.std(0, correction=0), torch.ones(8).double(), atol=1e-6)
    assert contract_faults("dataset", TableFile) == []


def test_a_parquet_and_a_tsv_file_say_the_same_as_csv(data):
    from pyarrow import parquet
    from pyarrow import table as arrow

    write(data / "a.csv", made())
    write(data / "a.tsv", made())
    columns = dict(zip(HEADER, map(list, zip(*made()))))
    typed = {
        **columns,
        "size": [float(v) if v else None for v in columns["size"]],
        "colour": [None if v == "NA" else v for v in columns["colour"]],
        "grade": [int(v) for v in columns["grade"]],
    }
    parquet.write_table(arrow(typed), data / "a.parquet")
    first, *others = (table(file=f"a.{kind}") for kind in ("csv", "tsv", "parquet"))
    for other in others:
        for a, b in zip(first.load(), other.load()):
            assert sorted(a.signals.tolist()) == sorted(b.signals.tolist())


def test_one_file_is_divided_by_its_content_not_by_its_order_and_equal_rows_stay_together(data):
    rows = made(40) + made(40)
    write(data / "a.csv", rows)
    write(data / "b.csv", rows[::-1])
    (train, test), other = table(file="a.csv").load(), table(file="b.csv").load()
    assert torch.equal(train.signals, other[0].signals)
    assert torch.equal(test.labels, other[1].labels)
    assert torch.bincount(test.labels).tolist() == [8, 8]
    assert not {tuple(row) for row in train.signals.tolist()} & {tuple(row) for row in test.signals.tolist()}


def test_a_column_may_say_which_rows_are_for_test(data):
    rows = [[*row, "test" if i in (2, 5) else "train"] for i, row in enumerate(made())]
    write(data / "a.csv", rows, (*HEADER, "part"))
    _, test = table(file="a.csv", split="part").load()
    assert test.signals[:, 0].tolist() == [1.0, 2.5]
    rows[3][-1] = "dev"
    write(data / "a.csv", rows, (*HEADER, "part"))
    assert "1 row, each of which is for neither train nor test: a.csv line 5 ('dev')" in refusal(
        file="a.csv", split="part"
    )


def test_what_does_not_vary_is_left_out_and_numbers_sort_as_numbers(data):
    rows = [[str(i), "7", str((10, 9, 2)[i % 3])] for i in range(12)]
    write(data / "a.csv", rows, ("x", "same", "label"))
    card = TableFile(TableFileConfig(file="a.csv")).card()
    assert (card.signal.shape, card.class_names) == ((1,), ("2", "9", "10"))


def test_categories_that_no_training_row_has_are_an_error_or_zeros(data):
    write(data / "a.csv", made())
    test = made(4)
    test[1][2] = "green"
    write(data / "b.csv", test)
    assert "b.csv line 3 ('green')" in refusal(file="a.csv", test_file="b.csv")
    _, zeros = table(file="a.csv", test_file="b.csv", unknown="zeros").load()
    assert zeros.signals[1, 2:6].tolist() == [0.0] * 4


def test_infinity_among_few_numbers_is_a_mistake_and_no_category(data):
    rows = made()
    for i in (2, 5, 8):
        rows[i][1] = "inf"
    write(data / "a.csv", rows)
    write(data / "b.csv", made(4))
    told = refusal(file="a.csv", test_file="b.csv")
    assert "'size' holds numbers (13 of 16;" in told
    assert "a.csv line 4 ('inf'), a.csv line 7 ('inf'), a.csv line 10 ('inf')" in told


def test_every_mistake_is_told_at_once(data):
    rows, test = made(), made(4)
    rows[2][4], rows[3][4] = "", "lonely"
    rows[5][1] = "about 2"
    test[0][1], test[1][4], test[2][2] = "inf", "never", "green"
    write(data / "a.csv", rows)
    write(data / "b.csv", test)
    told = refusal(file="a.csv", test_file="b.csv")
    for part in (
        "1 row, each of which has no label: a.csv line 4",
        "is for test and of a class that no training row has: b.csv line 3 ('never')",
        "'size' holds numbers (15 of 16;",
        "a.csv line 7 ('about 2')",
        "a category of 'colour' that no training row has (unknown: zeros lets them pass): b.csv line 4 ('green')",
    ):
        assert part in told
    assert "the only one of its class" in refusal(file="a.csv")
    assert "a.csv line 5 ('lonely')" in refusal(file="a.csv")


def test_columns_that_are_not_there_are_named_with_the_near_miss(data):
    write(data / "a.csv", made())
    told = refusal(file="a.csv", label="Label", categorical=("grades",))
    assert "no column 'Label', which the argument 'label' names. Did you mean 'label'?" in told
    assert "no column 'grades', which the argument 'categorical' names. Did you mean 'grade'?" in told
    write(data / "b.csv", [row[:2] for row in made()], HEADER[:2])
    assert "b.csv lacks 'colour', 'grade', 'label', which a.csv has" in refusal(file="a.csv", test_file="b.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a.csv is empty"),
        (b"x,label\n", "no rows below its header"),
        (b"x,label\n1,a\n2,b,c\n3\n", "line 3 has 3 fields, the header 2, line 4 has 1 fields"),
        (b"x,x,label\n1,2,a\n", "names twice x"),
        (b"x,,label\n1,2,a\n", "no name for column 2 of 3"),
        (b"x,label\n1,caf\xe9\n", "is not utf-8: its line 2 holds the byte 0xe9"),
        (b'x,label\n"1,a\n', "is no table"),
        (b"x,label\n1,a\n2,a\n", "1 class to learn from"),
        (b"x,label\n1,a\n1,a\n1,b\n1,b\n", "no row is left for test"),
    ],
)
def test_files_that_are_no_table_say_why(data, content, words):
    (data / "a.csv").write_bytes(content)
    with pytest.raises(DataError) as error:
        TableFile(TableFileConfig(file="a.csv")).card()
    assert words in str(error.value)


def test_other_encodings_long_lists_of_categories_and_foreign_files(data):
    write(data / "a.csv", [[f"{v}é", "ab"[v % 2]] for v in range(100)], ("name", "label"), "cp1252")
    with pytest.raises(DataError, match="'name' has 80 categories, 64 at most"):
        TableFile(TableFileConfig(file="a.csv", encoding="cp1252")).card()
    (data / "a.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        TableFile(TableFileConfig(file="a.parquet")).card()
    with pytest.raises(DataError, match="There is no file"):
        TableFile(TableFileConfig(file="b.csv")).card()
    with pytest.raises(ValidationError, match="below the data folder"):
        TableFileConfig(file="../a.csv")


def test_the_revision_follows_what_the_rows_say(data):
    write(data / "a.csv", made())
    before = table(file="a.csv").card().revision
    assert table(file="a.csv").card().revision == before
    rows = made()
    rows[0][1] = "0.5"
    write(data / "a.csv", rows)
    assert table(file="a.csv").card().revision != before


def test_rows_are_told_in_words_and_what_is_in_between_says_so(data):
    write(data / "a.csv", made())
    loaded = load(table(file="a.csv"))
    shown = table(file="a.csv").display()(loaded.card.signal, loaded.train.signals)
    row = torch.tensor([2.25, 0.1, 0.1, 0.7, 0.0, 0.2, 1.0, 0.0])
    assert shown.words(row) == "size 2.25, colour grey (0.7), grade 1"
    assert shown.words(row + torch.tensor([0, 0.9, 0, 0, 0, 0, 0, 0])) == "size ?, colour grey (0.7), grade 1"


def test_penguins_have_numbers_categories_and_gaps():
    loaded = load(Penguins())
    assert loaded.card.class_names == ("Adelie", "Chinstrap", "Gentoo")
    assert (len(loaded.train), len(loaded.held_out)) == (275, 69)
    marks = [i for i, (low, high) in enumerate(zip(loaded.train.signals.amin(0), loaded.train.signals.amax(0)))
             if (low, high) == (0, 1)]  # fmt: skip
    assert len(marks) == loaded.card.signal.shape[0] - 4, "three islands, sexes and marks are 0 or 1, measurements not"
