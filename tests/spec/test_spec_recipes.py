"""Recipes in suites: which rules a cell takes, what they give it, and what is recorded of them."""

from __future__ import annotations

import textwrap
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddbench.errors import SpecError
from ddbench.planning.expand import expand
from ddbench.planning.load import load_suite
from ddbench.planning.recipes import check_recipes
from ddbench.spec.cell import Cell
from ddbench.spec.recipes import read_recipes, recipes_structure
from ddbench.spec.yaml import parse

HEAD = "ddbench_recipes: 1\nname: r\nversion: 4\nrules:\n"
RULES = """
  - {when: {method: learn, budget: {ipc: 1}}, args: {lr: 3.0, iterations: 30}, source: paper A, found: published,
     found_with: {codec: identity, space: signal}}
  - {when: {method: [learn, pixel], dataset: pictures, budget: {ipc_from: 2, ipc_to: 4}}, args: {lr: 5.0},
     source: paper B, found: adapted}
  - {when: {method: learn, codec: half}, args: {lr: 7.0}, source: run C, found: validation}
"""
SUITE = """
ddbench: 1
name: s
grid:
  - datasets: pictures
    codecs: [identity]
    methods: [random, learn]
    budgets: {ipc: 1}
    recipes: r.yaml
"""


@pytest.fixture
def cells(tmp_path, fakes):
    """Expands SUITE, changed, with its recipes in a file beside it."""

    def expanded(*changes: tuple[str, str], rules: str = RULES, more: str = "") -> list[Cell]:
        text = SUITE + more
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "s.yaml").write_text(text)
        (tmp_path / "r.yaml").write_text(HEAD.rstrip() + " []\n" if not rules else HEAD + rules)
        return expand(load_suite(str(tmp_path / "s.yaml")))

    return expanded


def one_rule(name: str, args: str) -> str:
    rule = f"{{when: {{method: learn}}, args: {args}, source: s, found: adapted}}"
    return f"ddbench_recipes: 1\nname: {name}\nrules:\n  - {rule}\n"


def learned(found: list[Cell]) -> list[Cell]:
    return [cell for cell in found if cell.method.name != "random"]


def test_a_rule_gives_its_arguments_and_the_rest_are_defaults(cells):
    picked, cell = cells()
    assert picked.recipe == ()
    assert cell.method.args == {"lr": 3.0, "iterations": 30, "momentum": 0.5}
    (use,) = cell.recipe
    assert (use.name, use.version, use.source, use.found) == ("r", 4, "paper A", "published")
    assert (use.args, use.replaced) == ({"lr": 3.0, "iterations": 30}, {})


def test_later_rules_win_argument_by_argument(cells):
    (cell,) = learned(cells(("[identity]", "half")))
    assert cell.method.args == {"lr": 7.0, "iterations": 30, "momentum": 0.5}
    assert [(u.source, u.found, u.args) for u in cell.recipe] == [
        ("paper A", "adapted", {"iterations": 30}),
        ("run C", "validation", {"lr": 7.0}),
    ]


def test_what_the_suite_writes_stands_and_the_rule_says_so(cells):
    (cell,) = learned(cells(("learn]", "{learn: {iterations: 2, lr: 3}}]")))
    assert cell.method.args == {"lr": 3.0, "iterations": 2, "momentum": 0.5}
    (use,) = cell.recipe
    assert (use.args, use.replaced) == ({"lr": 3.0}, {"iterations": 30})


def test_a_default_that_the_suite_writes_is_written(cells):
    (cell,) = learned(cells(("learn]", "{learn: {lr: 1.0}}]")))
    assert (cell.method.args["lr"], cell.method.args["iterations"]) == (1.0, 30)


def test_settings_come_last_and_are_noted(cells):
    more = "    settings: [{when: {method: learn}, method_args: {iterations: 9}}, {codec_args: {factor: 4}}]\n"
    (cell,) = learned(cells(("[identity]", "half"), more=more))
    assert cell.method.args == {"lr": 7.0, "iterations": 9, "momentum": 0.5}
    assert cell.codec.args["factor"] == 4
    assert [(u.args, u.replaced) for u in cell.recipe] == [({}, {"iterations": 30}), ({"lr": 7.0}, {})]


def test_the_key_is_that_of_the_same_arguments_written_out(cells):
    with_rules = cells()
    written = cells(("learn]", "{learn: {lr: 3.0, iterations: 30}}]"), ("    recipes: r.yaml\n", ""))
    assert [c.key for c in with_rules] == [c.key for c in written]
    assert written[1].recipe == ()


def test_an_included_entry_has_them_too(cells):
    more = "    include: [{codec: half, method: {learn: {momentum: 0.25}}}]\n"
    found = learned(cells(("[random, learn]", "random"), more=more))
    assert [c.method.args for c in found] == [{"lr": 7.0, "iterations": 30, "momentum": 0.25}]


def test_the_arguments_by_which_a_rule_matches_are_those_without_rules(cells):
    rules = """
  - {when: {method: learn}, args: {lr: 2.0}, source: a, found: adapted}
  - {when: {method: {learn: {lr: 2.0}}}, args: {iterations: 77}, source: b, found: adapted}
  - {when: {method: {learn: {momentum: 0.25}}}, args: {iterations: 55}, source: c, found: adapted}
"""
    assert [c.method.args["iterations"] for c in learned(cells(rules=rules))] == [100]
    assert [c.method.args["iterations"] for c in learned(cells(("learn]", "{learn: {lr: 2}}]"), rules=rules))] == [77]
    by_setting = "    settings: {method_args: {momentum: 0.25}, when: {method: learn}}\n"
    assert [c.method.args["iterations"] for c in learned(cells(rules=rules, more=by_setting))] == [55]


def test_an_entry_may_need_the_rule_or_a_setting_to_be_valid(cells):
    """A rule's value that no method takes is told, unless a setting replaces it."""
    rules = "  - {when: {method: learn}, args: {lr: -1}, source: a, found: adapted}\n"
    with pytest.raises(SpecError, match=r"s.yaml:9: recipes r: method 'learn': argument 'lr': .*greater than 0"):
        cells(rules=rules)
    more = "    settings: {method_args: {lr: 4.0}, when: {method: learn}}\n"
    assert [c.method.args["lr"] for c in learned(cells(rules=rules, more=more))] == [4.0]


@pytest.mark.parametrize(
    ("budget", "lr"),
    [
        ("{ipc: 2}", 5.0), ("{ipc: 4}", 5.0), ("{ipc: 2.5}", 5.0), ("{bytes_per_class: 64}", 3.0),
        ("{bytes_per_class: 256}", 5.0), ("{fraction: 0.4}", 3.0), ("{ipc: 4.5}", None), ("{ipc: 1.5}", None),
        ("{bytes_per_class: 65}", None),
    ],
)  # fmt: skip
def test_a_rules_budget_means_bytes(cells, budget, lr):
    """Signals of 1 × 4 × 4 floats: 64 bytes; the training set of 30 of 16 bytes: 480, of which 0.4 are 3 × 64."""
    if lr is None:
        with pytest.raises(SpecError, match="no rule is for learn with identity in signal space on pictures"):
            cells(("{ipc: 1}", budget))
    else:
        assert [c.method.args["lr"] for c in learned(cells(("{ipc: 1}", budget)))] == [lr]


def test_no_rule_is_a_fault_that_names_those_there_are(cells):
    with pytest.raises(SpecError) as caught:
        cells(("{ipc: 1}", "{ipc: 9}"), ("learn]", "learn, pixel]"))
    first, second = str(caught.value).splitlines()
    assert "s.yaml:7: recipes r: no rule is for learn with identity in signal space on pictures at 9 ipc." in first
    assert "There are rules for learn at 1 ipc; learn or pixel on pictures at 2 to 4 ipc; learn with half." in first
    assert "There are rules for learn or pixel on pictures at 2 to 4 ipc." in second
    with pytest.raises(SpecError, match="They have no rules yet"):
        cells(rules="")


@pytest.mark.parametrize(
    ("line", "words"), [("    budgets: {ipc: 1}\n", "no budgets"), ("    codecs: [identity]\n", "no codecs")]
)
def test_what_a_block_lacks_is_told_before_its_rules(cells, line, words):
    with pytest.raises(SpecError, match=words) as caught:
        cells((line, ""))
    assert "no rule" not in str(caught.value)


def test_several_files_together(cells, tmp_path):
    (tmp_path / "none.yaml").write_text("ddbench_recipes: 1\nname: none\nrules: []\n")
    (tmp_path / "later.yaml").write_text(one_rule("later", "{lr: 9}"))
    assert [c.method.args["lr"] for c in learned(cells(("r.yaml", "[r.yaml, none.yaml]")))] == [3.0]
    (cell,) = learned(cells(("r.yaml", "[r.yaml, later.yaml]")))
    assert [(u.name, u.args) for u in cell.recipe] == [("r", {"iterations": 30}), ("later", {"lr": 9})]
    (cell,) = learned(cells(("r.yaml", "[later.yaml, r.yaml]")))
    assert [(u.name, u.args) for u in cell.recipe] == [("r", {"lr": 3.0, "iterations": 30})]


def test_blocks_have_their_own_and_selectors_need_none(cells):
    more = "  - {datasets: rows, codecs: identity, methods: learn, budgets: {ipc: 3}}\n"
    found = learned(cells(more=more))
    assert [(c.dataset.name, c.method.args["lr"], len(c.recipe)) for c in found] == [
        ("pictures", 3.0, 1),
        ("rows", 1.0, 0),
    ]
    assert [c.method.name for c in cells(("[random, learn]", "[random, full]"), rules="")] == ["random", "full"]


names, sources = ("learn", "pixel"), st.sampled_from(["identity", "half"])
rule = st.fixed_dictionaries(
    {
        "method": st.sets(st.sampled_from(names), min_size=1),
        "args": st.sets(st.sampled_from(["lr", "iterations"]), min_size=1),
    },
    optional={"codec": sources, "budget": st.tuples(st.integers(1, 3), st.integers(1, 3)).map(sorted)},
)


@given(st.lists(rule, min_size=1, max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_against_a_slow_reading_of_the_rules(cells, drawn):
    """Each argument is searched for from the last rule backwards."""
    lines = ["  - {when: {method: [learn, pixel]}, args: {lr: 500, iterations: 600}, source: s, found: adapted}"]
    for i, r in enumerate(drawn, 1):
        when = [f"method: [{', '.join(sorted(r['method']))}]"]
        when += [f"codec: {r['codec']}"] if "codec" in r else []
        when += [f"budget: {{ipc_from: {r['budget'][0]}, ipc_to: {r['budget'][1]}}}"] if "budget" in r else []
        args = ", ".join(f"{name}: {i}" for name in sorted(r["args"]))
        lines.append(f"  - {{when: {{{', '.join(when)}}}, args: {{{args}}}, source: s{i}, found: adapted}}")
    found = cells(
        ("[identity]", "[identity, half]"), ("[random, learn]", "[learn, pixel]"), ("{ipc: 1}", "[{ipc: 1}, {ipc: 3}]"),
        rules="\n".join(lines) + "\n",
    )  # fmt: skip
    assert len(found) == 8
    for cell in found:
        wanted = {"lr": 500, "iterations": 600}
        for name in wanted:
            for i in range(len(drawn), 0, -1):
                r = drawn[i - 1]
                low, high = r.get("budget", (0, 9))
                fits = cell.method.name in r["method"] and r.get("codec", cell.codec.name) == cell.codec.name
                if name in r["args"] and fits and low <= float(str(cell.budget).removesuffix(" ipc")) <= high:
                    wanted[name] = i
                    break
        assert {name: cell.method.args[name] for name in wanted} == wanted
        assert {k: v for use in cell.recipe for k, v in use.args.items()} == wanted


GOOD = "  - {when: {method: learn}, args: {lr: 1.0}, source: s, found: adapted}"


def budgeted(text: str) -> str:
    return HEAD + GOOD.replace("learn}", f"learn, budget: {text}}}")


def place(text: str) -> str:
    return HEAD + GOOD.replace("found: adapted", f"found: published, found_with: {text}")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("name: r\nrules: []", 1, ["'ddbench_recipes' is missing", "ddbench_recipes: 1"]),
        ("ddbench_recipes: 2\nname: r\nrules: []", 1, ["format of recipes is 2", "reads format 1"]),
        ("ddbench_recipes: yes\nname: r\nrules: []", 1, ["format of recipes is True"]),
        ("- a", 1, ["recipes are a mapping"]),
        ("ddbench_recipes: 1\nrules: []", 1, ["'name' is missing"]),
        ("ddbench_recipes: 1\nname: r", 1, ["'rules' is missing"]),
        ("ddbench_recipes: 1\nname: r\nrules:", 3, ["'rules' has no value"]),
        (HEAD + GOOD.replace("source: s", "source: s, fond: x"), 5, ["unknown key 'fond'", "'found'"]),
        (HEAD + GOOD.replace("source: s, ", ""), 5, ["'source' is missing"]),
        (HEAD + GOOD.replace("source: s", "source: ''"), 5, ["'source'"]),
        (HEAD + GOOD.replace("adapted", "adaptd"), 5, ["Did you mean 'adapted'"]),
        (HEAD + GOOD.replace("{lr: 1.0}", "{}"), 5, ["'args' is empty"]),
        (HEAD + GOOD.replace("{method: learn}", "{codec: half}"), 5, ["'when': name the methods"]),
        (HEAD + GOOD.replace("{method: learn}", "{method: []}"), 5, ["'when': name the methods"]),
        (HEAD + GOOD.replace("{method: learn}", "{method: learn, seed: 1}"), 5, ["unknown key 'seed'"]),
        (budgeted("{icp: 1}"), 5, ["unknown key 'icp'", "'ipc'"]),
        (budgeted("1"), 5, ["'budget' takes {ipc: 1} or"]),
        (budgeted("{}"), 5, ["a rule's budget is"]),
        (budgeted("{ipc: 1, ipc_to: 2}"), 5, ["a rule's budget is"]),
        (budgeted("{ipc_from: 3, ipc_to: 2}"), 5, ["more than"]),
        (budgeted("{ipc: '1'}"), 5, ["a number"]),
        (HEAD + GOOD.replace("{lr: 1.0}", "{lr: .nan}"), 5, ["finite"]),
        (HEAD + GOOD.replace("{lr: 1.0}", "{1: 2}"), 5, ["the key 1 is not text"]),
        ("ddbench_recipes: 1\nname: r\nrules: {a: b}", 3, ["'rules' takes a list, got {'a': 'b'}"]),
        (HEAD + GOOD.replace("learn}", "learn, network: auto}"), 5, ["unknown key 'network'"]),
        (place("{netwrk: auto}"), 5, ["unknown key 'netwrk'", "'network'"]),
        (place("[{codec: half}, {network: [[auto]]}]"), 5, ["'network' takes a name or"]),
        (place("{network: aut}"), 5, ["no network called 'aut'"]),
        (place("[{}, {network: {auto: {wdth: 3}}}]"), 5, ["network 'auto'", "'wdth'", "'width'"]),
        (place("{storage: float61}"), 5, ["'storage'", "float16"]),
        (HEAD + GOOD.replace("learn", "lern"), 5, ["no method called 'lern'", "'learn'"]),
        (HEAD + GOOD.replace("{lr: 1.0}", "{lrr: 1.0}"), 5, ["method 'learn'", "unknown argument 'lrr'", "'lr'"]),
        (HEAD + GOOD.replace("{lr: 1.0}", "\n     {lr: -1}"), 6, ["argument 'lr'", "greater than 0"]),
        (HEAD + GOOD + "\n" + GOOD.replace("}, args", ", codec: {half: {fctor: 2}}}, args"), 6, ["'fctor'"]),
    ],
)  # fmt: skip
def test_one_mistake(fakes, text, line, words):
    with pytest.raises(SpecError) as caught:
        check_recipes(parse(text, "r.yaml"))
    found = str(caught.value).splitlines()
    assert len(found) == 1, found
    assert found[0].startswith(f"r.yaml:{line}: ")
    assert all(word in found[0] for word in words)


def test_all_mistakes_at_once_and_in_the_suite_too(cells, tmp_path):
    rules = GOOD.replace("adapted", "x") + "\n" + GOOD.replace("when", "wen") + "\n"
    with pytest.raises(SpecError) as caught:
        cells(("{ipc: 1}", "{ipc: 1}\n    sedes: 3"), rules=rules)
    assert "unknown key 'sedes'" in str(caught.value)
    with pytest.raises(SpecError) as caught:
        cells(("[identity]", "[identity, hlf]"), rules=rules)
    found = str(caught.value).splitlines()
    assert sum("s.yaml:9: r.yaml:5: 'found'" in row for row in found) == 1
    assert sum("s.yaml:9: r.yaml:6: " in row for row in found) == 2, "an unknown key, and one that is missing"
    assert sum("no codec called 'hlf'" in row for row in found) == 1
    assert len(found) == 4


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("nothing.yaml", "no recipes file 'nothing.yaml'"), ("publishd", "Did you mean 'published'"),
        ("'.'", "that is a folder"), ("[r.yaml, r.yaml]", "r.yaml given twice"), ("", "'recipes' has no value"),
        ("[3]", "'recipes'"), ('"a\\0b"', "no recipes file"), (f"'{'x' * 5000}'", "not a path that can be read"),
    ],
)  # fmt: skip
def test_names_that_are_no_recipes(cells, written, words):
    with pytest.raises(SpecError) as caught:
        cells(("r.yaml", written))
    (found,) = str(caught.value).splitlines()
    assert "s.yaml:9: " in found
    assert words in found


def test_a_file_beside_the_suite_comes_before_a_shipped_one(cells, tmp_path):
    (tmp_path / "published").write_text(one_rule("mine", "{lr: 8}"))
    assert [c.recipe[0].name for c in learned(cells(("r.yaml", "published")))] == ["mine"]
    (tmp_path / "published").unlink()
    with pytest.raises(SpecError, match="recipes published, reduced: no rule is for learn"):
        cells(("r.yaml", "[published, reduced]"))


def test_a_suite_made_from_text_finds_shipped_ones(suite_of):
    text = "grid: {datasets: pictures, codecs: half, methods: random, budgets: {ipc: 1}, recipes: [published, reduced]}"
    assert len(expand(suite_of(text))) == 1


def test_ranges_in_words_and_numbers(tmp_path: Path):
    every = {
        "{ipc: 2}": ("2 ipc", {2}), "{ipc_from: 2}": ("2 ipc or more", {2, 3, 4}),
        "{ipc_to: 2}": ("up to 2 ipc", {1, 2}),
        "{ipc_from: 2, ipc_to: 3}": ("2 to 3 ipc", {2, 3}),
    }  # fmt: skip
    for written, (words, held) in every.items():
        path = tmp_path / "r.yaml"
        path.write_text(HEAD + GOOD.replace("}, args", f", budget: {written}}}, args"))
        (images,) = read_recipes(path).rules[0].when.budget
        assert str(images) == words
        assert {n for n in range(1, 5) if images.hold(n)} == held


@given(st.text(max_size=60), st.sampled_from(["", "when", "args", "budget"]))
@settings(max_examples=60, deadline=None)
def test_no_text_gives_anything_but_a_spec_error(text, key):
    whole = HEAD + textwrap.indent(f"- {{{key}: {text}", "  ") + "}"
    try:
        recipes, faults = recipes_structure(parse(whole, "r.yaml"))
    except SpecError:
        return
    assert recipes is not None or faults


def test_every_way_to_be_found_is_kept_in_the_record(cells):
    for found, with_half in product(("published", "adapted", "validation"), (False, True)):
        rules = GOOD.replace("adapted", found).replace("}, args", "}, found_with: {codec: identity}, args")
        (cell,) = learned(cells(("[identity]", "half" if with_half else "identity"), rules=rules))
        assert cell.recipe[0].found == ("adapted" if with_half else found)
        assert Cell.model_validate_json(cell.model_dump_json()).recipe == cell.recipe


WAYS = [
    ("{network: auto}", True), ("{network: {auto: {width: 8}}}", True), ("{network: {auto: {width: 9}}}", False),
    ("{network: maps}", False), ("{network: [maps, auto]}", True), ("{storage: float32}", True),
    ("{storage: float16}", False), ("[{network: maps}, {codec: half}]", True),
    ("[{network: maps}, {codec: jpeg}]", False),
    ("{method: {learn: {ema: 0}}}", True), ("{method: {learn: {ema: 0.5}}}", False),
    ("{method: {learn: {momentum: 0.5}}}", True), ("{method: {learn: {momentum: 0.25}}}", False),
    ("{method: {learn: {lr: 1.0}}}", False), ("{method: {learn: {lr: 2.0}}}", True),
    ("{method: {learn: {iterations: 77}}}", True), ("{method: {learn: {iterations: 100}}}", False),
    ("{codec: {half: {mode: area}}}", True), ("{codec: {half: {factor: 4}}}", True),
    ("{codec: {half: {factor: 2}}}", False),
]  # fmt: skip


@pytest.mark.parametrize(("written", "holds"), WAYS)
def test_found_with_sees_the_cell_as_it_runs(cells, written, holds):
    """Defaults, those too that a cell leaves out (`ema`), what another rule gives (77), what settings give (4)."""
    rules = f"""
  - {{when: {{method: learn}}, args: {{lr: 2.0}}, source: a, found: published, found_with: {written}}}
  - {{when: {{method: learn}}, args: {{iterations: 77}}, source: b, found: adapted}}
"""
    more = "    settings: {codec_args: {factor: 4}}\n"
    (cell,) = learned(cells(("[identity]", "half"), rules=rules, more=more))
    assert "ema" not in cell.method.args
    assert [use.found for use in cell.recipe] == ["published" if holds else "adapted", "adapted"]


def test_a_rule_matches_by_a_default_that_cells_leave_out(cells):
    rules = """
  - {when: {method: learn}, args: {lr: 2.0}, source: a, found: adapted}
  - {when: {method: {learn: {ema: 0}}}, args: {lr: 3.0}, source: b, found: adapted}
"""
    assert [c.method.args["lr"] for c in learned(cells(rules=rules))] == [3.0]
    assert [c.method.args["lr"] for c in learned(cells(("learn]", "{learn: {ema: 0.5}}]"), rules=rules))] == [2.0]
