"""Results whose every text tries to break out of a page."""

from __future__ import annotations

from pathlib import Path

from made_up_results import made_up_cell, made_up_result, quickstart_like

from ddbench.budget import Budget
from ddbench.result.schema import Result
from ddbench.spec.cell import Choice, EvaluationProtocol, RecipeUse

SCRIPT = "<script>alert(1)</script>"
BREAKS = f"""'"><img src=x onerror=alert(1)>|`{SCRIPT}</title></style>[x](javascript:alert(1))"""


def hostile_results() -> list[Result]:
    protocol = EvaluationProtocol(name=BREAKS, students=2)
    found = []
    for seed, status in ((0, "ok"), (1, "ok"), (2, "failed")):
        cell = made_up_cell(BREAKS, BREAKS, seed, Budget(ipc=1), {BREAKS: BREAKS}, {BREAKS: [BREAKS]}, BREAKS)
        use = RecipeUse(name=BREAKS, version=1, found="adapted", source=BREAKS, args={BREAKS: 1}, replaced={SCRIPT: 2})
        cell = cell.model_copy(update={"protocol": protocol, "recipe": (use,), "network": Choice(name=BREAKS)})
        made = made_up_result(cell, status=status, networks=(BREAKS,))
        told = made.provenance.model_copy(update={"device": BREAKS, "git_commit": SCRIPT, "packages": {BREAKS: BREAKS}})
        changes: dict[str, object] = {"notes": (BREAKS,), "provenance": told, "run_id": BREAKS}
        if made.bytes:
            parts = {BREAKS: made.bytes.used}
            report = {"parts": parts, "decoder": 5, "decoder_training_data": BREAKS}
            changes["bytes"] = made.bytes.model_copy(update=report)
        if made.error:
            changes["error"] = made.error.model_copy(update={"message": BREAKS, "kind": BREAKS, "phase": BREAKS})
        found.append(made.model_copy(update=changes))
    return found


def write_results(folder: Path, results: list[Result]) -> Path:
    for i, result in enumerate(results):
        at = folder / f"x{SCRIPT.replace('/', '_')} & #{i}"
        at.mkdir(parents=True)
        (at / "result.json").write_text(result.model_dump_json(indent=1) + "\n")
    return folder


def mixed_results() -> list[Result]:
    """Ordinary rows and hostile ones."""
    return [*quickstart_like(), *hostile_results()]
