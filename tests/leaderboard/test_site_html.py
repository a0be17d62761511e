"""The pages as HTML: nothing breaks out of its place, nothing comes from elsewhere, everything is reachable."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hostile_results import SCRIPT, mixed_results, write_results

from ddbench.leaderboard.build import build
from ddbench.leaderboard.pages import HERE

VOID = {"meta", "link", "img", "input", "br", "path", "use"}


class Page(HTMLParser):
    """A page's elements, its headings and whether tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is there twice"
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)

    def all(self, *tags: str) -> Iterator[dict[str, str | None]]:
        return (attrs for tag, attrs in self.found if tag in tags)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaderboard")
    built = build(write_results(folder / "results", mixed_results()), folder)
    assert built.left_out == []
    return folder


@pytest.fixture(scope="module")
def pages(out: Path) -> dict[Path, Page]:
    found = {p: Page(p.read_text()) for p in sorted((out / "site").rglob("*.html"))}
    assert {p.parent.name for p in found} == {"site", "boards", "rows"}
    return found


def test_no_text_becomes_an_element(out: Path, pages: dict[Path, Page]) -> None:
    assert sum("&lt;script&gt;alert(1)" in p.read_text() for p in pages) >= 3
    for path, page in pages.items():
        assert SCRIPT not in path.read_text()
        assert not any(name.startswith("on") for _, attrs in page.found for name in attrs)
        assert page.scripts == []
        assert [a["src"] for a in page.all("script")] == [("" if path.parent.name == "site" else "../") + "script.js"]
        assert not any(a["src"] == "x" for a in page.all("img"))


def test_markdown_shows_hostile_text_as_text(out: Path) -> None:
    text = (out / "README.md").read_text()
    assert "\\<script\\>alert(1)" in text
    assert not re.search(r"(?<!\\)<(script|img|/)", text)
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    for grid in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in grid.splitlines()}) == 1


def test_nothing_comes_from_elsewhere_and_every_link_leads_somewhere(out: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        ids = {a["id"] for _, a in page.found if a.get("id")}
        targets = [a[name] for _, a in page.found for name in ("href", "src") if a.get(name)]
        assert targets
        for target in map(str, targets):
            parts = urlsplit(target)
            assert (parts.scheme, parts.netloc) in (("", ""), ("data", "")), target
            if parts.scheme == "" and parts.path:
                assert (path.parent / unquote(parts.path)).resolve().is_relative_to(out.resolve())
                assert (path.parent / unquote(parts.path)).is_file(), target
            if parts.fragment and not parts.path:
                assert parts.fragment in ids
    for name in ("style.css", "script.js"):
        assert not re.search(r"url\(|@import|https?:|fetch\(|innerHTML|eval\(", (HERE / "static" / name).read_text())
    linked = re.findall(r"\]\((site/[^)]+)\)", (out / "README.md").read_text())
    assert len(linked) > 10
    assert all((out / target).is_file() for target in linked)


def test_anchors_of_the_readme(out: Path) -> None:
    text = (out / "README.md").read_text()
    titles = [re.sub(r"\\(.)", r"\1", line[3:]) for line in text.splitlines() if line.startswith("## ")]
    anchors = {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}
    asked = re.findall(r"\]\(#([^)]+)\)", text)
    assert asked
    assert set(asked) <= anchors


def test_what_screen_readers_need(pages: dict[Path, Page]) -> None:
    for page in pages.values():
        ids = Counter(a["id"] for _, a in page.found if a.get("id"))
        assert max(ids.values()) == 1
        levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b <= a + 1 for a, b in pairwise(levels))
        assert len(list(page.all("table"))) == len(list(page.all("caption")))
        assert all(a.get("scope") for a in page.all("th"))
        assert all(a.get("alt") for a in page.all("img"))
        assert all(a.get("aria-labelledby") or a.get("aria-hidden") for a in page.all("svg"))
        assert len(list(page.all("main"))) == 1
        for _, attrs in page.found:
            for name in ("aria-labelledby", "aria-describedby"):
                assert set((attrs.get(name) or "").split()) <= set(ids)


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast(theme: int) -> None:
    """WCAG 2: 4.5 for text, 3 for marks of charts."""
    css = (HERE / "static" / "style.css").read_text()
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", css.split("color-scheme: dark")[theme].split("}")[0]))
    assert len(colours) == 19

    def ratio(a: str, b: str) -> float:
        low, high = sorted((luminance(colours[a]), luminance(colours[b])))
        return (high + 0.05) / (low + 0.05)

    for back in ("paper", "raised", "best", "warn"):
        for ink in ("ink", "link", "quiet"):
            assert ratio(ink, back) >= 4.5, (ink, back)
    assert ratio("good", "paper") >= 4.5
    for mark in (*(f"c{i}" for i in range(8)), "warn-line", "focus"):
        assert ratio(mark, "paper") >= 3, mark
