"""Forked workers: the same files as without them, the same errors, nothing hung where one dies.

Each case runs in a process of its own: a fork is made only where there is no other thread, and test runners have some.
"""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hostile_results import mixed_results, write_results

from ddbench.errors import RunError
from ddbench.leaderboard.workers import no_collection, spread

START = """
import json, os, signal, sys, threading
from pathlib import Path
from ddbench.errors import DdbenchError
from ddbench.leaderboard import build, found, output, workers
found.CHUNK, build.ROWS = 4, 3
"""


def told(script: str, *words: object) -> Any:
    """What a script prints last, as JSON, run in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", START + script, *map(str, words)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


BUILD = """
pids = set()
made_by = output.Output.note
put = output.Output.put
output.Output.put = lambda self, name, data: (*put(self, name, data), os.getpid())
output.Output.note = lambda self, made: (pids.add(made[3]), made_by(self, made[:3]))
try:
    built = build.build(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps([len(pids - {os.getpid()}), built.left_out, built.written]))
except DdbenchError as error:
    print(json.dumps([len(pids), type(error).__name__, str(error)]))
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound ones, hostile ones, and files that are none."""
    folder = write_results(tmp_path_factory.mktemp("board") / "results", mixed_results())
    sound = next(folder.rglob("result.json")).read_text()
    for name, text in {"a cut": sound[:500], "m twin": sound, "z percent": sound.replace(": 0.", ": 50.")}.items():
        (folder / name).mkdir()
        (folder / name / "result.json").write_text(text)
    return folder


def test_any_number_of_workers_makes_the_same_files_and_names_the_same_errors(results: Path, tmp_path: Path) -> None:
    forks, left_out, written = told(BUILD, results, tmp_path / "1", 1)
    assert (forks, len(left_out)) == (0, 3)
    expected = contents(tmp_path / "1")
    assert written == len(expected) - 1
    for workers in (2, 3):
        at = tmp_path / str(workers)
        assert told(BUILD, results, at, workers) == [workers - 1, left_out, written]
        assert contents(at) == expected
        assert told(BUILD, results, at, workers)[1:] == [left_out, 0]  # nothing is written again


def test_what_stands_in_the_way_is_met_before_anything_is_written(results: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("my project")
    forks, kind, said = told(BUILD, results, tmp_path, 2)
    assert (forks, kind) == (0, "RunError")
    assert "README.md was not made by this command" in said
    assert list(contents(tmp_path)) == ["README.md"]


def test_a_worker_that_is_killed_ends_the_build_with_a_sentence() -> None:
    script = """
import time
first = os.getpid()
def work(n):
    if os.getpid() != first:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
try:
    print(list(workers.spread(work, list(range(9)), 2)))
except DdbenchError as error:
    print(json.dumps(str(error)))
"""
    assert "A worker process was killed" in told(script)


def test_answers_stand_in_order_and_the_first_error_is_raised() -> None:
    script = """
import time
def work(n):
    time.sleep(0.02 * (n % 3))
    if n in (7, 8):
        raise DdbenchError(f"chunk {n}")
    return n, os.getpid()
found, pids = [], set()
try:
    for n, pid in workers.spread(work, list(range(12)), 3):
        found.append(n)
        pids.add(pid)
    print("no error")
except DdbenchError as error:
    print(json.dumps([found, str(error), len(pids) > 1]))
"""
    assert told(script) == [list(range(7)), "chunk 7", True]


def test_an_error_of_the_first_process_waits_for_its_turn() -> None:
    script = """
import time
first = os.getpid()
def work(n):
    time.sleep(0.05)
    if os.getpid() == first:
        raise DdbenchError("mine")
    return n
found = []
try:
    for n in workers.spread(work, list(range(6)), 2):
        found.append(n)
except DdbenchError as error:
    print(json.dumps([found, str(error)]))
"""
    found, said = told(script)
    assert found == list(range(len(found)))
    assert said == "mine"


def test_answers_of_every_size_come_back_whole() -> None:
    script = """
import time
def work(n):
    time.sleep(0.001)
    return bytes([n]) * (1000 ** (n % 3) * 3), os.getpid()
found = list(workers.spread(work, list(range(60)), 3))
assert [data for data, _ in found] == [bytes([n]) * (1000 ** (n % 3) * 3) for n in range(60)]
print(json.dumps(len({pid for _, pid in found}) > 1))
"""
    assert told(script)


def test_what_warms_up_is_done_once_and_here() -> None:
    script = """
done = []
assert list(workers.spread(str, [1, 2, 3, 4], 2, lambda: done.append(os.getpid()))) == list("1234")
print(json.dumps(done == [os.getpid()]))
"""
    assert told(script)


def test_workers_end_when_the_first_process_is_killed(tmp_path: Path) -> None:
    script = """
import time
def work(n):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(0.05)
    if len(os.listdir(sys.argv[1])) > 2 and os.getpid() == first:
        os.kill(first, signal.SIGKILL)
first = os.getpid()
list(workers.spread(work, list(range(400)), 3))
"""
    done = subprocess.run([sys.executable, "-c", START + script, str(tmp_path)], stdout=subprocess.DEVNULL, timeout=60)
    assert done.returncode == -signal.SIGKILL
    pids = {int(p.name) for p in tmp_path.iterdir()}
    for _ in range(200):
        if not any(_is_at_work(pid) for pid in pids):
            return
        time.sleep(0.05)
    raise AssertionError(f"some of {pids} are there ten seconds later")


def _is_at_work(pid: int) -> bool:
    """Whether a process is there; one that ended and was not fetched is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_there_is_no_fork_beside_other_threads() -> None:
    script = """
stop = threading.Event()
threading.Thread(target=stop.wait).start()
print(json.dumps([pid == os.getpid() for pid in workers.spread(lambda _: os.getpid(), [1, 2, 3], 3)]))
stop.set()
"""
    assert told(script) == [True] * 3


def test_one_chunk_or_one_worker_stays_here() -> None:
    assert list(spread(str, [], 4)) == []
    assert list(spread(str, [1], 4)) == ["1"]
    assert list(spread(str, [1, 2], 1)) == ["1", "2"]


def test_the_search_for_cycles_goes_on_after_a_build() -> None:
    def fails() -> None:
        with no_collection():
            assert not gc.isenabled()
            raise RunError("full")

    assert gc.isenabled()
    with pytest.raises(RunError):
        fails()
    assert gc.isenabled()


def test_each_chunk_is_done_once(tmp_path: Path) -> None:
    script = """
done = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def work(n):
    os.write(done, b"%6d" % n)
    return n
assert list(workers.spread(work, range(20_000), 3)) == list(range(20_000))
text = open(sys.argv[1]).read()
numbers = [int(text[i : i + 6]) for i in range(0, len(text), 6)]
print(json.dumps(sorted(numbers) == list(range(20_000))))
"""
    assert told(script, tmp_path / "done")


def test_memory_of_answers_that_were_read_is_given_back() -> None:
    script = """
import time
def held():
    names = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    (answers,) = [at for at in names if os.path.lexists(at) and "memfd:answers" in os.readlink(at)]
    return os.stat(answers).st_blocks
first, pids, left = os.getpid(), set(), None
def work(n):
    if os.getpid() == first:
        time.sleep(0.01)  # so that forks have their share
    return os.getpid(), bytes(300_000)
for pid, data in workers.spread(work, range(100), 2):
    pids.add(pid)
    left = held()
print(json.dumps([len(pids), left]))
"""
    assert told(script) == [2, 0]


def test_where_a_fork_is_not_to_be_had_all_is_done_here() -> None:
    script = """
fork, made = os.fork, []
def failing():
    if made:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    made.append(1)
    return fork()
os.fork = failing
before = len(os.listdir("/proc/self/fd"))
here = list(workers.spread(lambda n: os.getpid(), range(5), 3))
children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
print(json.dumps([set(here) == {os.getpid()}, children, len(os.listdir("/proc/self/fd")) - before]))
"""
    alone, children, left_open = told(script)
    assert alone
    assert not children
    assert left_open <= 4, "the two pipes that Python's own Process had opened for its fork"


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        ("KeyError('nowhere')", "KeyError", "nowhere"),
        ("ResultError('a file', 'is broken', ['so'])", "ResultError", "a file is broken: so."),
        ("Odd('x', 1)", "RunError", "A worker failed: Odd: x"),
        ("Odd(lambda: 1, 1)", "RunError", "A worker failed: Odd"),
    ],
    ids=["any", "ours", "cannot be read again", "cannot be sent"],
)
def test_an_error_of_a_fork_comes_back_as_it_was(raised: str, kind: str, said: str) -> None:
    script = f"""
import time
from ddbench.result.io import ResultError
class Odd(Exception):
    def __init__(self, said, number):
        super().__init__(said)
first = os.getpid()
def work(n):
    if os.getpid() != first:
        raise {raised}
    time.sleep(0.05)
try:
    list(workers.spread(work, range(9), 2))
except Exception as error:
    print(json.dumps([type(error).__name__, str(error), "in work" in "".join(getattr(error, "__notes__", ()))]))
"""
    found, text, is_noted = told(script)
    assert found == kind
    assert said in text
    assert is_noted == (kind == "KeyError")
