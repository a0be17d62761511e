"""Suite files as YAML: values, the lines they stood on, and what is refused."""

from __future__ import annotations

import math
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.errors import SpecError
from ddbench.spec.yaml import MAX_FILE_BYTES, Fault, parse, read


def fails(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse(text, "f.yaml")
    return str(caught.value)


def test_values_and_their_lines():
    document = parse("a: 1\nb:\n  - x\n  - {c: 1e-3, d: no}\n", "f.yaml")
    assert document.data == {"a": 1, "b": ["x", {"c": 1e-3, "d": False}]}
    assert document.marks[("b",)] == (2, 1)
    assert document.marks[("b", 1, "d")] == (4, 15)
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 7, "d")) == 2, "an unknown step falls back to what holds it"
    assert not document.faults


def test_steps_that_the_file_lacks_are_passed_over():
    document = parse("methods:\n  dm:\n    lr: 1\n", "f.yaml")
    assert document.line(("methods", 0, "dm", "args", "lr")) == 3


@pytest.mark.parametrize("number", ["1e-3", "1E5", "+2.5e+3", "-.5e1", "1.e2"])
def test_numbers_with_exponents_are_numbers(number):
    assert parse(f"a: {number}", "f").data == {"a": float(number)}


def test_duplicate_keys_are_mistakes_on_their_line():
    document = parse("a: 1\nb: 2\na: 3\n", "f.yaml")
    (fault,) = document.faults
    assert fault.line == 3
    assert "'a' is given twice; first on line 1" in fault.text
    assert document.data == {"a": 1, "b": 2}


def test_a_merge_is_no_duplicate_and_own_keys_win():
    document = parse("base: &b {x: 1, y: 2}\nuse:\n  x: 5\n  <<: *b\n", "f")
    assert document.data["use"] == {"x": 5, "y": 2}
    assert document.line(("use", "x")) == 3
    assert document.line(("use", "y")) == 1
    assert document.line(("use",)) == 2
    assert not document.faults
    assert "merges mappings" in parse("a:\n  <<: 3\n", "f").faults[0].text


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: .inf", 1, "finite"),
        ("a: 1\nb: .nan", 2, "finite"),
        ("a: 1e999", 1, "finite"),
        ("a: 99999999999999999999999", 1, "64 bits"),
        ("a: 1\n2: b", 2, "key 2 is not text"),
        ("a: 1\nno: b", 2, "key no is not text"),
        ("a: !!python/name:os.system x", 1, "tagged"),
        ("a: !!int x", 1, "not a valid int"),
        ("a: !!int ''", 1, "not a valid int"),
        ("a: !!binary aGk=", 1, "tagged"),
        ('a: "\\ud800"', 1, "surrogate"),
    ],
)
def test_values_that_are_refused(text, line, words):
    (fault,) = parse(text, "f").faults
    assert fault.line == line
    assert words in fault.text


def test_dates_stay_text():
    assert parse("a: 2024-02-31", "f").data == {"a": "2024-02-31"}


def test_syntax_errors_have_a_line():
    assert fails("a: 1\nb: [1, 2\nc: 3\n").startswith("f.yaml:3: not valid YAML: ")
    assert fails("a: 1\n\tb: 2").startswith("f.yaml:2: not valid YAML: ")
    assert fails("a: 1\nb: \x00").startswith("f.yaml:2: not valid YAML: ")
    assert fails("a: *nowhere").startswith("f.yaml:1: ")
    assert "f.yaml:2" in fails("a: 1\n---\nb: 2\n")
    assert "empty" in fails("# nothing\n")


def test_alias_bombs_and_deep_nests_are_refused():
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    assert "aliases are expanded" in fails(bomb)
    assert "refer to itself" in fails("a: &a [*a]")
    assert "deep" in fails("[" * 60 + "]" * 60)
    assert "deep" in fails("[" * 5000)


def test_files(tmp_path):
    with pytest.raises(SpecError, match="cannot be read"):
        read(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match="cannot be read"):
        read(tmp_path)
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(SpecError, match="at most"):
        read(big)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: \xe9")
    with pytest.raises(SpecError, match="UTF-8"):
        read(latin)
    marked = tmp_path / "marked.yaml"
    marked.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read(marked).data == {"a": 1}


def test_all_faults_in_one_error_in_order():
    document = parse("a: 1\n", "f")
    assert str(document.error([Fault(3, "c"), Fault(1, "a"), Fault(3, "c")])) == "f:1: a\nf:3: c"


NUMBER_HERE = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
"""Text that PyYAML writes without quotes and that is a number here, as in YAML 1.2."""
words = st.text(st.characters(codec="ascii"), max_size=8).filter(lambda text: not NUMBER_HERE.fullmatch(text))
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | words
    | st.floats(allow_nan=False, allow_infinity=False, width=32),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(data=plain, flow=st.booleans())
@settings(max_examples=80, deadline=None)
def test_what_is_dumped_is_read_as_pyyaml_reads_it(data, flow):
    text = yaml.safe_dump(data, default_flow_style=flow)
    if data is None:
        text = "~"
    document = parse(text, "f")
    assert document.data == yaml.safe_load(text)
    lines = text.count("\n") + 1
    assert all(1 <= line <= lines for line, _ in document.marks.values())


@given(st.text(st.sampled_from("ab01:-[]{}&*!|>'\"#%@,.?<= \n\t\x00\u2028é"), max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_text_gives_anything_but_a_spec_error(text):
    try:
        document = parse(text, "f")
    except SpecError as error:
        message = str(error)
    else:
        message = str(document.error(document.faults))
        assert not isinstance(document.data, float) or math.isfinite(document.data)
    assert all(row.startswith("f:") for row in message.split("\n") if row)
