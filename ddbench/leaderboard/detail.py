"""All that a row's page says: scores by seed and student, bytes, recipe, protocol, provenance. torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ddbench.leaderboard.board import Board, Standing
from ddbench.leaderboard.html import Grid
from ddbench.leaderboard.scores import accuracies, gains, score_name
from ddbench.report.labels import percent
from ddbench.report.rows import column_of, student_label
from ddbench.result.schema import Result
from ddbench.spec.cell import Training
from ddbench.spec.labels import arguments

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Detail:
    """The parts of a page, in words."""

    scores: Grid
    gains: Grid
    students: Grid
    parts: Grid
    sums: Pairs
    what: Pairs
    recipe: list[Pairs]
    protocol: Pairs
    provenance: Grid
    packages: Pairs
    phases: Grid
    notes: list[str]
    failures: Pairs
    checks: list[Grid] = field(default_factory=list)


def detail(board: Board, standing: Standing) -> Detail:
    """The page of a row."""
    row = standing.row
    return Detail(
        scores=accuracies(board, standing),
        gains=gains(board, standing),
        students=_students(board, row.ok),
        parts=_parts(row.ok),
        sums=_sums(row.ok),
        what=_what(standing),
        recipe=[_rule(use.model_dump()) for use in row.cell.recipe],
        protocol=_protocol(standing),
        provenance=_provenance(row.results),
        packages=_packages(row.results),
        phases=_phases(row.results),
        notes=_notes(row.ok),
        failures=[(f"seed {r.cell.seed}, {r.status}", _why(r)) for r in row.failed],
        checks=[_check(v) for v in standing.verifications],
    )


def _students(board: Board, ok: Sequence[Result]) -> Grid:
    by_row: dict[tuple[Any, ...], list[str]] = {}
    for result in ok:
        for run in sorted(result.runs, key=lambda r: r.student):
            place = result.cell.seed, result.run_id, column_of(run.column, run.space), student_label(run)
            by_row.setdefault(place, []).append(percent(run.accuracy))
    order = {score: i for i, score in enumerate(board.table.scores)}
    rows = [
        [f"seed {seed}", score_name((column, label)), " · ".join(found)]
        for (seed, _, column, label), found in sorted(
            by_row.items(), key=lambda item: (item[0][0], item[0][1], order.get(item[0][2:], len(order)))
        )
    ]
    return Grid("Every student's accuracy in percent", ["seed", "column, students", "students in order"], rows)


def _parts(ok: Sequence[Result]) -> Grid:
    reports = [r for r in ok if r.bytes]
    names = list(dict.fromkeys(chain.from_iterable(r.bytes.parts for r in reports if r.bytes)))
    rows = [[n, *(f"{r.bytes.parts.get(n, 0):,}" for r in reports if r.bytes)] for n in names]
    total = ["used in all", *(f"{r.bytes.used:,}" for r in reports if r.bytes)]
    return Grid("Bytes by tensor", ["tensor", *(f"seed {r.cell.seed}" for r in reports)], [*rows, total])


def _sums(ok: Sequence[Result]) -> Pairs:
    stored = [r.bytes for r in ok if r.bytes]
    if not stored:
        return []
    first = stored[0]
    most = {
        n: max(getattr(b, n) for b in stored) for n in ("side", "over_cap", "decoder", "refitted", "free_in_domain")
    }
    said = [
        ("allowed", "no cap" if first.allowed is None else f"{first.allowed:,} bytes for the set"),
        ("side information", f"{most['side']:,} bytes of those used: offsets, ranges, masks, step size, soft labels"),
    ]
    if most["over_cap"]:
        said.append(("over the cap", f"{most['over_cap']:,} bytes, by side information alone"))
    if most["decoder"]:
        trained = f", fitted on {first.decoder_training_data}" if first.decoder_training_data else ""
        said.append(("decoder", f"{most['decoder']:,} bytes{trained}; reported, not charged"))
    if most["refitted"]:
        said.append(("fitted again", f"{most['refitted']:,} bytes, from the training set whenever the set is read"))
    if most["free_in_domain"]:
        said.append(("free in domain", f"{most['free_in_domain']:,} bytes of decoder, trained on this dataset"))
    return said


def _what(standing: Standing) -> Pairs:
    cell = standing.row.cell
    said = [("dataset", cell.dataset_label), ("method", cell.method.name)]
    said.append(("method's arguments", _args(cell.method.args)))
    if cell.budget is not None:
        said += [
            ("codec", cell.codec.name),
            ("codec's arguments", _args(cell.codec.args)),
            ("match space", cell.space),
            ("storage", cell.storage),
            ("budget", str(cell.budget)),
            ("match network", f"{cell.network.name} {_args(cell.network.args)}"),
        ]
    versions = cell.versions
    said.append(("versions", f"dataset {versions.dataset}, codec {versions.codec}, method {versions.method}"))
    return said


def _args(args: Mapping[str, Any]) -> str:
    return arguments({k: "null" if v is None else v for k, v in args.items()}) or "none"


def _rule(use: Mapping[str, Any]) -> Pairs:
    said = [
        ("recipe", f"{use['name']}, version {use['version']}"),
        ("found", use["found"]),
        ("source", use["source"]),
        ("gives", _args(use["args"])),
    ]
    if use["replaced"]:
        said.append(("replaced by the suite", _args(use["replaced"])))
    return said


def _protocol(standing: Standing) -> Pairs:
    protocol = standing.row.cell.protocol
    networks = ", ".join(f"{n.name} {_args(n.args)}" if n.args else n.name for n in protocol.networks)
    said = [
        ("name", protocol.name),
        ("scored on", "the test set" if protocol.evaluate_on == "test" else "the validation split, not the test set"),
        ("students", f"{protocol.students} a seed of each network: {networks}"),
        ("columns", ", ".join(c.replace("_", " ") for c in protocol.columns)),
        ("training", _training(protocol)),
    ]
    if standing.row.is_ceiling and protocol.full is not None:
        said.append(("training on everything", _training(protocol.full)))
    return said


def _training(t: Training) -> str:
    return (
        f"{t.epochs} epochs, batch {t.batch}, {t.optimiser} lr {t.lr:g} momentum {t.momentum:g} ({t.schedule}), "
        f"weight decay {t.weight_decay:g}, augmentation {t.augment}"
    )


def _provenance(results: Sequence[Result]) -> Grid:
    rows = []
    for r in results:
        p = r.provenance
        commit = (p.git_commit or "not from git")[:12] + (", changed" if p.git_dirty else "")
        where = ", ".join(x for x in (p.device, p.processor, p.driver) if x)
        rows.append([f"seed {r.cell.seed}", r.status, p.ddbench, commit, where, str(p.threads), p.started, p.finished])
    heads = ["seed", "status", "ddbench", "commit", "device", "threads", "started", "finished"]
    return Grid("Where and when each seed ran", heads, rows)


def _packages(results: Sequence[Result]) -> Pairs:
    """Versions that the seeds ran with; several where they differ."""
    found: dict[str, dict[str, None]] = {}
    for r in results:
        p = r.provenance
        for name, version in {"python": p.python, "platform": p.platform, **p.packages, **p.plugins}.items():
            found.setdefault(name, {})[version] = None
    return [(name, ", ".join(versions)) for name, versions in found.items()]


def _phases(results: Sequence[Result]) -> Grid:
    rows = [
        [f"seed {r.cell.seed}", p.name, f"{p.seconds:,.1f}", _mb(p.host_peak_bytes), _mb(p.device_peak_bytes)]
        for r in results
        for p in r.phases
    ]
    return Grid("Seconds and peak memory", ["seed", "phase", "seconds", "host MB", "device MB"], rows)


def _mb(n: int) -> str:
    return f"{n / 1e6:,.0f}"


def _notes(ok: Sequence[Result]) -> list[str]:
    by_note: dict[str, list[str]] = {}
    for r in ok:
        for note in r.notes:
            by_note.setdefault(note, []).append(str(r.cell.seed))
    return [f"{note} (seed {', '.join(seeds)})" for note, seeds in by_note.items()]


def _why(result: Result) -> str:
    error = result.error
    return "" if error is None else f"in {error.phase}: {error.kind}: {' '.join(error.message.split())}"


def _check(verification: Any) -> Grid:
    rows = [
        [
            f"{c.column.replace('_', ' ')}, {c.network}",
            percent(c.claimed),
            percent(c.found),
            f"± {100 * c.half_width:.1f}",
            str(c.students_found),
            c.verdict,
        ]
        for c in verification.comparisons
    ]
    caption = f"Checked by {verification.by}, {verification.finished}: {verification.verdict}"
    heads = ["column, students", "claimed", "found", "difference may be", "students", "verdict"]
    return Grid(caption, heads, rows)
