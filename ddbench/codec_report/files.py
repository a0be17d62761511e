"""What a codec report leaves on disk."""

from __future__ import annotations

from pathlib import Path

from ddbench.codec_report.drawing import chart, picture
from ddbench.codec_report.render import as_csv, markdown
from ddbench.codec_report.work import Outcome
from ddbench.errors import RunError
from ddbench.files import write_atomic
from ddbench.interfaces.signal import SignalSpec

JSON, MARKDOWN, CSV, CHART, PICTURE = "report.json", "report.md", "report.csv", "chart.png", "picture.png"


def write(outcome: Outcome, spec: SignalSpec, folder: Path) -> list[str]:
    """Writes report, table, chart and picture; gives what could not be drawn. Raises: RunError."""
    report = outcome.report
    write_atomic(folder / JSON, report.model_dump_json(indent=1) + "\n")
    write_atomic(folder / MARKDOWN, markdown(report))
    write_atomic(folder / CSV, as_csv(report))
    troubles = []
    for name, draw in (
        (CHART, lambda: chart(report, folder / CHART)),
        (PICTURE, lambda: picture(outcome, spec, folder / PICTURE)),
    ):
        if not report.rows:
            break
        try:
            draw()
        except RunError:
            raise
        except Exception as error:  # noqa: BLE001  (drawing must never cost a finished report)
            troubles.append(f"{name} could not be drawn: {type(error).__name__}: {error}")
    return troubles
