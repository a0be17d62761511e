"""Every kind of mistake in a suite file: reported with its line, and all of them at once."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddbench.errors import SpecError
from ddbench.planning.expand import expand
from ddbench.planning.load import check, load_suite
from ddbench.planning.plan import plan
from ddbench.spec.yaml import parse

GOOD = """
grid:
  - datasets: pictures
    codecs: [identity]
    methods: [random, {learn: {lr: 2.0}}]
    budgets: {ipc: 1}
"""


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def more(text: str) -> str:
    return changed("{ipc: 1}", "{ipc: 1}\n    " + text)


def test_the_good_suite_is_good(mistakes):
    assert mistakes(GOOD) == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        # structure; the head takes lines 1 and 2, and GOOD begins with an empty line
        ("gird: []", 3, ["unknown key 'gird'", "Did you mean 'grid'"]),
        (changed("methods", "methds"), 7, ["unknown key 'methds'", "Did you mean 'methods'"]),
        (changed("    methods: [random, {learn: {lr: 2.0}}]\n", ""), 5, ["the key 'methods' is missing"]),
        (changed("datasets: pictures", "datasets:"), 5, ["'datasets' has no value"]),
        (changed("datasets: pictures", "datasets: []"), 5, ["'datasets' is empty"]),
        (changed("[identity]", "[[identity]]"), 6, ["'codecs' takes a name or {name: {arguments}}"]),
        (changed("[identity]", "[{identity: {}, factor: 2}]"), 6, ["indent them under 'identity:'"]),
        (changed("[identity]", "[{identity: 3}]"), 6, ["arguments of 'identity' are a mapping"]),
        (changed("{ipc: 1}", "1"), 8, ["'budgets' takes {ipc: 1}"]),
        (changed("{ipc: 1}", "{ipc: 0}"), 8, ["'ipc'", "greater than 0", "got 0"]),
        (changed("{ipc: 1}", "{ipc: -2}"), 8, ["greater than 0", "got -2"]),
        (changed("{ipc: 1}", "{fraction: 1.5}"), 8, ["'fraction'", "less than or equal to 1"]),
        (changed("{ipc: 1}", "{ipc: 1, fraction: 0.1}"), 8, ["one of ipc, bytes_per_class, fraction"]),
        (changed("{ipc: 1}", "{icp: 1}"), 8, ["unknown key 'icp'", "'ipc'"]),
        (more("seeds: [0, -1]"), 9, ["'seeds'", "got -1"]),
        (more("seeds: [yes]"), 9, ["'seeds'", "got True"]),
        (more("spaces: pixel"), 9, ["'code' or 'signal'", "got 'pixel'"]),
        (more("storage: float61"), 9, ["Did you mean 'float16'"]),
        (more("exclude: [{codecs: identity}]"), 9, ["'codecs'", "'codec'"]),
        (more("exclude: [{codec: identty}]"), 9, ["matches nothing", "'identity'"]),
        (more("settings: [{method_args: {lr: 1.0}, when: {method: lern}}]"), 9, ["'learn'"]),
        (more("settings:\n    - {when: {codec: identity}}"), 10, ["sets nothing"]),
        (more("protocol: shrt\nprotocols: {short: {epochs: 1}}"), 9, ["'short'"]),
        ("protocol: {epoch: 3}" + GOOD, 3, ["unknown key 'epoch'", "'epochs'"]),
        ("protocol:\n  epochs: 0" + GOOD, 4, ["'epochs'", "greater than 0"]),
        ("protocol:\n  full:\n    epochs: x" + GOOD, 5, ["'epochs'", "got 'x'"]),
        ("protocol:\n  lr: 'inf'" + GOOD, 4, ["'lr'", "finite"]),
        ("protocols:\n  a:\n    columns: equal_step" + GOOD, 5, ["'columns'", "Did you mean 'equal_steps'"]),
        ("protocol:\n  labels: soft" + GOOD, 4, ["'labels'", "'hard' or 'own', got 'soft'"]),
        ("protocol:\n  labels: []" + GOOD, 4, ["'labels' is empty"]),
        ("protocol: quick" + GOOD, 3, ["no protocol 'quick'", "Define it"]),
        ("version: 0" + GOOD, 3, ["'version'"]),
        (changed("{ipc: 1}", "{ipc: true}"), 8, ["'ipc': input should be a number, got True"]),
        (changed("{ipc: 1}", "{ipc: '1'}"), 8, ["'ipc': input should be a number, got '1'"]),
        (changed("{ipc: 1}", "{bytes_per_class: '64'}"), 8, ["input should be a number, got '64'"]),
        ("protocol:\n  epochs: true" + GOOD, 4, ["'epochs': input should be a number, got True"]),
        ("protocol:\n  full:\n    lr: '0.1'" + GOOD, 5, ["'lr': input should be a number, got '0.1'"]),
        ("protocol:\n  columns: [equal_epochs, equal_epochs]" + GOOD, 4, ["'columns': equal_epochs given twice"]),
        ("protocol:\n  networks: [auto, maps, auto]" + GOOD, 4, ["'networks': auto given twice"]),
        ("protocol:\n  networks:\n  - auto\n  - auto: {width: 8}" + GOOD, 6, ["'auto' is given twice with the same"]),
        # plug-ins
        (changed("pictures", "pictres"), 5, ["no dataset called 'pictres'", "'pictures'"]),
        (changed("[identity]", "[identity, hlf]"), 6, ["no codec called 'hlf'", "'half'"]),
        (changed("{lr: 2.0}", "{lrr: 2.0}"), 7, ["method 'learn'", "unknown argument 'lrr'", "'lr'"]),
        (changed("{lr: 2.0}", "{lr: -2.0}"), 7, ["argument 'lr'", "greater than 0", "got -2.0"]),
        (changed("[random, {learn: {lr: 2.0}}]", "\n    - name: learn\n      args:\n        lr: x"), 10, ["got 'x'"]),
        (changed("[random, {learn: {lr: 2.0}}]", "\n      learn:\n        lr: x"), 9, ["'lr'", "got 'x'"]),
        (changed("{lr: 2.0}", "{lr: true}"), 7, ["argument 'lr': Input should be a number, got True"]),
        (changed("{lr: 2.0}", "{iterations: '5'}"), 7, ["argument 'iterations': Input should be a number, got '5'"]),
        (more("network: aut"), 9, ["no network called 'aut'"]),
        ("protocol:\n  networks:\n  - auto: {width: 0}" + GOOD, 5, ["network 'auto'", "'width'"]),
        (more("exclude: [{method: {learn: {rl: 1}}}]"), 9, ["unknown argument 'rl'"]),
        (more("include: [{codec: hlf}]"), 9, ["no codec called 'hlf'"]),
        (more("settings:\n    - method_args: {lr: -1}\n      when: {method: learn}"), 10, ["'lr'"]),
        # pairs and budgets: the line of the entry that does not fit
        (changed("[identity]", "[identity, stiff]"), 6, ["stiff × learn", "gradient", "codec: stiff, method: learn}]"]),
        (changed("[identity]", "[masked]\n    spaces: [code, signal]"), 6, ["masked in code space", "no code"]),
        (changed("{ipc: 1}", "\n    - {ipc: 1}\n    - {bytes_per_class: 10}"), 10, ["no item", "64 bytes a class"]),
        (changed("pictures", "rows").replace("identity", "half"), 6, ["not shape (5,)", "dataset: rows, codec: half}"]),
        (changed("[identity]", "\n    - identity\n    - stiff"), 8, ["stiff × learn"]),
        (changed("[random, {learn: {lr: 2.0}}]", "\n    - random\n    - pixel\n    spaces: code"), 9, ["pixel in"]),
        (more("include:\n    - seed: 9\n    - {codec: stiff, method: learn}"), 11, ["stiff × learn"]),
        (changed("pictures", "rows") + "    network: maps", 9, ["match network 'maps' does not take"]),
        ("protocol:\n  networks: [auto,\n    maps]" + changed("pictures", "rows"), 5, ["student 'maps' does not"]),
        ("protocol: q\nprotocols:\n  q:\n    networks: maps" + changed("pictures", "rows"), 6, ["student 'maps'"]),
        (changed("    budgets: {ipc: 1}\n", ""), 5, ["no budgets", "'random' needs"]),
        (changed("    codecs: [identity]\n", ""), 5, ["no codecs"]),
        (changed("{ipc: 1}", "{ipc: 1.0e+308}"), 8, ["too large"]),
    ],
)  # fmt: skip
def test_one_mistake(mistakes, text, line, words):
    found = mistakes(text)
    at = [row for row in found if row.startswith(f"s.yaml:{line}: ")]
    assert at, found
    assert any(all(word in row for word in words) for row in at), at


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (changed("{ipc: 1}", "{ipc: .inf}"), 8, ".inf is not a finite number"),
        (changed("{ipc: 1}", "{ipc: .inf}").replace("  - d", "    d"), 8, ".inf is not a finite number"),
        (changed("{ipc: 1}", "[{ipc: 99999999999999999999}]"), 8, "does not fit 64 bits"),
        (changed("{ipc: 1}", ".nan"), 8, "finite"),
        (changed("{lr: 2.0}", "{lr: .nan}"), 7, "finite"),
        (changed("{learn: {lr: 2.0}}", "{learn: .nan}"), 7, "finite"),
        (changed("[identity]", "!!python/name:os.system x"), 6, "tagged"),
        (changed("[identity]", "[!!python/name:os.system x, half]"), 6, "tagged"),
        (more("seeds: [0, .inf]"), 9, "finite"),
        (more("settings: [{method_args: {lr: .inf}, when: {method: learn}}]"), 9, "finite"),
        ("protocol: {epochs: .inf}" + GOOD, 3, "finite"),
        ("protocol: .inf" + GOOD, 3, "finite"),
        ("protocol: {networks: {auto: {width: .inf}}}" + GOOD, 3, "finite"),
    ],
)
def test_a_value_that_cannot_be_read_is_one_mistake(mistakes, text, line, words):
    (found,) = mistakes(text)
    assert found.startswith(f"s.yaml:{line}: ")
    assert words in found


@pytest.mark.parametrize("text", ["!!python/object:os.system {}", ".inf", "!!binary aGk="])
def test_a_whole_file_that_cannot_be_read_is_one_mistake(fakes, text):
    with pytest.raises(SpecError) as caught:
        check(parse(text, "s.yaml"))
    assert "NoneType" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_else_is_wrong_beside_a_refused_value_is_told(mistakes):
    found = mistakes(changed("{ipc: 1}", "[{ipc: .inf, fraction: -1}, {ipc: 0}]"))
    assert len(found) == 3
    assert sum("finite" in row for row in found) == sum("got -1" in row for row in found) == 1


@pytest.mark.parametrize("rule", ["{dataset: pictures}", "[{method: random}, {method: learn}]", "{seed: 0}"])
def test_rules_that_leave_nothing(mistakes, rule):
    (found,) = mistakes(more(f"exclude: {rule}"))
    assert found.startswith("s.yaml:9: the rules leave no cell")
    assert mistakes(more(f"exclude: {rule}\n    include: {{seed: 4}}")) == []


def test_a_block_of_unknown_names_is_not_said_to_be_ruled_out(mistakes):
    (found,) = mistakes(changed("[identity]", "hlf") + "    exclude: {method: learn}\n")
    assert "no codec called" in found


def test_all_mistakes_of_all_kinds_at_once(mistakes):
    found = mistakes(
        """\
        nme: x
        protocol: {epochs: -1, epochs: 2}
        grid:
          - datasets: pictres
            codecs: [identity, {half: {facto: 3}}]
            methods: [random]
            budgets: [{ipc: 0}]
            sedes: 3
        """
    )
    assert [int(row.split(":")[1]) for row in found] == [3, 4, 4, 6, 7, 9, 10]
    assert "given twice" in found[1] + found[2]


def test_a_mistake_elsewhere_does_not_hide_bad_pairs(mistakes):
    found = mistakes(changed("[random, {learn: {lr: 2.0}}]", "[random, learn, lern]").replace("identity", "stiff"))
    assert any("no method called 'lern'" in row for row in found)
    assert any("stiff × learn" in row for row in found)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("name: t\n", ["the key 'ddbench' is missing", "ddbench: 1"]),
        ("ddbench: 2\nname: t\n", ["format is 2", "reads format 1"]),
        ("ddbench: yes\nname: t\n", ["format is True"]),
        ("ddbench: 1\n", ["'name' is missing"]),
        ("ddbench: 1\nname: a/b\n", ["'name'"]),
    ],
)
def test_heads(mistakes, head, words):
    found = mistakes(GOOD, head=head)
    assert len(found) == 1
    assert all(word in found[0] for word in words)


@pytest.mark.parametrize("text", ["- a\n- b", "just text", "3"])
def test_a_suite_is_a_mapping(fakes, text):
    with pytest.raises(SpecError, match="a suite is a mapping"):
        check(parse(text, "s.yaml"))


def test_structure_alone_needs_no_plugins(mistakes):
    assert mistakes(changed("pictures", "nothing_like_it"), plugins=False) == []


def test_too_many_combinations(mistakes):
    many = ", ".join(map(str, range(700)))
    text = changed("{ipc: 1}", f"{{ipc: 1}}\n    seeds: [{many}]").replace(
        "[identity]", f"[{', '.join(['identity'] * 100)}]"
    )
    assert any("140000 combinations" in row for row in mistakes(text))


def test_load_suite_names_the_file(tmp_path, fakes):
    path = tmp_path / "mine.yaml"
    path.write_text("ddbench: 1\nname: t\nversoin: 2\n" + GOOD)
    with pytest.raises(SpecError) as caught:
        load_suite(str(path))
    assert str(caught.value) == f"{path}:3: unknown key 'versoin'. Did you mean 'version'?"


KEYS = """
ddbench name version protocol protocols grid datasets codecs methods spaces budgets storage seeds network exclude
include settings when method_args codec_args dataset codec method budget seed space ipc fraction full epochs lr
networks columns learn identity half factor args
"""
keys = st.sampled_from(KEYS.split())
values = st.recursive(
    st.sampled_from([None, True, 0, 1, -1, 2.5, "", "inf", "learn", "random", "full", "identity", "jpeg", "half"])
    | st.sampled_from(["pictures", "rows", "code", "signal", "float16", "auto", "buggy", {"ipc": 1}, {"ipc": 2}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)
BLOCK_KEYS = "datasets codecs methods spaces budgets storage seeds exclude include settings network protocol"
blocks = st.fixed_dictionaries({}, optional=dict.fromkeys(BLOCK_KEYS.split(" "), values))


def refusal(text: str) -> str:
    """What the check says against a suite; '' where it is fine. Any other error than SpecError gets out."""
    try:
        check(parse(text, "s.yaml"))
    except SpecError as error:
        return str(error)
    return ""


@given(grid=st.lists(blocks | values, max_size=3) | values, extra=st.dictionaries(keys, values, max_size=3))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_suite_gives_anything_but_a_spec_error(fakes, grid, extra):
    text = yaml.safe_dump({"ddbench": 1, "name": "t", "grid": grid, **extra})
    assert all(row.startswith("s.yaml:") for row in refusal(text).split("\n") if row)


axis_values = {
    "datasets": ["pictures", "rows"],
    "codecs": ["identity", "half", "masked", "stiff", "jpeg", "grid", "buggy", "hollow"],
    "methods": ["random", "learn", "pixel", "clash", "full"],
    "spaces": ["code", "signal"],
    "budgets": [{"ipc": 1}, {"ipc": 0.01}, {"fraction": 0.5}, {"bytes_per_class": 7}],
    "storage": ["float32", "uint8"],
}


@given(
    st.fixed_dictionaries(
        {axis: st.lists(st.sampled_from(known), min_size=1, max_size=3) for axis, known in axis_values.items()}
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_well_formed_suites_expand_or_say_why(fakes, block):
    text = yaml.safe_dump({"ddbench": 1, "name": "t", "grid": [block]})
    if refusal(text):
        return
    cells = expand(check(parse(text, "s.yaml")))
    assert len({cell.key for cell in cells}) == len(cells) == len(plan(cells))
    assert all(p.slots is None or p.slots >= 1 for p in plan(cells))
