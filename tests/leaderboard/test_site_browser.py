"""The site in a headless browser: sorting, filters, narrow screens. Skipped where there is no Chromium."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hostile_results import mixed_results, write_results

from ddbench.leaderboard.build import build

BROWSER = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--virtual-time-budget=5000",
)  # fmt: skip
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"
)

ASK = """
const rows = () => [...document.querySelectorAll("table.board tbody tr:not(.budget)")];
const head = (text) => [...document.querySelectorAll("table.board thead th")].find((h) => h.textContent === text);
const column = (text) => rows().filter((r) => !r.hidden).map((r) => r.cells[head(text).cellIndex].textContent);
const set = (name, value) => {
  const tools = document.querySelector("form.tools");
  tools.elements[name].value = value;
  tools.dispatchEvent(new Event("input"));
};
window.addEventListener("load", async () => {
  const found = {};
  try { await ask(found); } catch (error) { found.error = String(error); }
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify(found);
  document.body.append(told);
});
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaderboard")
    build(write_results(folder / "results", mixed_results()), folder)
    return folder / "site"


def asked(page: Path, profile: Path, script: str, width: int = 1200) -> dict[str, Any]:
    """What a script finds on a page, which is opened as a file."""
    copy = page.with_name(f"asked-{page.name}")
    copy.write_text(
        page.read_text().replace("</body>", f"<script>async function ask(found) {{{script}}}{ASK}</script>")
    )
    try:
        command = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},900", "--dump-dom"]
        done = subprocess.run([*command, copy.as_uri()], capture_output=True, text=True, timeout=120)
    finally:
        copy.unlink()
    told = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told, done.stderr[-2000:]
    found = json.loads(unescape(told.group(1)))
    assert "error" not in found, found["error"]
    return found


def board(site: Path) -> Path:
    return next(p for p in (site / "boards").glob("fashion*.html"))


def test_sorting_and_filtering(site: Path, tmp_path: Path) -> None:
    script = """
    found.before = column("equal steps");
    const h = head("equal steps");
    found.label = h.querySelector("button").textContent;
    found.unsorted = h.getAttribute("aria-sort");
    h.querySelector("button").click();
    found.first = [h.getAttribute("aria-sort"), column("equal steps")];
    h.querySelector("button").click();
    found.second = [h.getAttribute("aria-sort"), column("equal steps")];
    found.budgets = rows().map((r) => r.dataset.budget);
    set("codec", "downsample");
    found.filtered = rows().filter((r) => !r.hidden).map((r) => r.dataset.codec);
    found.count = document.querySelector("output").value;
    found.pale = document.querySelectorAll(".point.off").length;
    set("text", "no such row");
    found.none = column("equal steps").length;
    document.querySelector("form.tools").reset();
    await new Promise((done) => setTimeout(done, 50));
    found.after = column("equal steps");
    found.sorted = document.querySelectorAll("[aria-sort]").length;
    """
    found = asked(board(site), tmp_path, script)
    assert found["label"] == "equal steps"
    assert found["unsorted"] is None

    def falls(texts: list[str]) -> bool:
        numbers = [float(t.split()[0]) for t in texts if t != "–"]
        return numbers == sorted(numbers, reverse=True)

    (down, high_first), (up, low_first) = found["first"], found["second"]
    assert (down, up) == ("descending", "ascending")
    assert falls(high_first[:7])
    assert falls(high_first[7:14])
    assert falls(low_first[6::-1])
    assert falls(low_first[13:6:-1])
    assert found["budgets"] == ["1 ipc"] * 7 + ["10 ipc"] * 7 + ["none"]
    assert set(found["filtered"]) == {"downsample"}
    assert found["count"] == "4 of 15 rows"
    assert found["pale"] == 2 * 10
    assert found["none"] == 0
    assert found["after"] == found["before"]
    assert found["sorted"] == 0


@pytest.mark.parametrize("which", ["index", "board", "row"])
def test_a_narrow_page_scrolls_in_its_tables_alone(site: Path, tmp_path: Path, which: str) -> None:
    page = {"index": site / "index.html", "board": board(site), "row": next((site / "rows").glob("*.html"))}[which]
    script = """
    document.documentElement.style.width = "320px";
    found.width = document.documentElement.scrollWidth;
    found.window = innerWidth;
    found.alerts = document.querySelectorAll("img[src=x], main script").length;
    found.wide = [...document.querySelectorAll("main *")].filter((e) =>
      e.getBoundingClientRect().right > 321 && !e.closest(".scroll")).map((e) => e.outerHTML.slice(0, 80));
    """
    found = asked(page, tmp_path, script, width=500)
    assert found["wide"] == []
    assert found["alerts"] == 0


def test_without_scripts_the_table_reads_as_it_stands(site: Path, tmp_path: Path) -> None:
    page = board(site)
    copy = page.with_name("plain.html")
    copy.write_text(re.sub(r"<script[^>]*></script>", "", page.read_text()))
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={tmp_path}", "--dump-dom", copy.as_uri()]
    text = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    copy.unlink()
    assert '<form class="tools" hidden="">' in text
    assert "<button" not in text.split("<thead>")[1]
