"""The `.ts` format of the UCR and UEA archives: labelled series, one a line. torch-free.

A line is `channel:channel:…:label`, a channel numbers with commas between; a header of `@` lines says what to expect.
Source: Bagnall et al. 2018, 'The UEA multivariate time series classification archive' (arXiv 1811.00075).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ddbench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

Gaps = Literal["refuse", "interpolate"]
MISSING = ("?", "nan", "")
SHOWN = 5
"""Mistakes of a file that an error names."""


@dataclass(frozen=True)
class TsFile:
    """The series of one file in order."""

    path: Path
    class_names: tuple[str, ...]
    """Of the header, in its order."""
    series: tuple[Float32[np.ndarray, "c t"], ...]
    labels: tuple[str, ...]
    lines: tuple[int, ...]
    """Line of each series, from 1; for messages."""


def read_ts(path: Path, gaps: Gaps = "refuse") -> TsFile:
    """The series of a file. `gaps`: what becomes of missing values (`?` or NaN).

    Raises: DataError naming the file and the line of everything that is amiss, up to a few.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path} is not text: byte {error.start}, in line {line}, is not UTF-8.") from error
    lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), 1)]
    lines = [(i, line) for i, line in lines if line and line[0] not in "#%"]
    begin = next((n for n, (_, line) in enumerate(lines) if line.lower() == "@data"), None)
    if begin is None:
        raise DataError(f"{path} is no .ts file: it has no line @data. A header of @ lines, then @data, is asked for.")
    names = _header(path, [line for _, line in lines[:begin]])
    series, labels, faults = [], [], []
    for i, line in lines[begin + 1 :]:
        try:
            values, label = _series(line, gaps)
            if label not in names:
                raise ValueError(f"the class {label!r} is none of the header's ({', '.join(names)})")
            if series and len(values) != len(series[0]):
                raise ValueError(f"{len(values)} channels, where the first series has {len(series[0])}")
        except ValueError as error:
            faults.append(f"line {i}: {error}")
            continue
        series.append(values)
        labels.append(label)
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise DataError(f"{path} cannot be used: {'; '.join(faults[:SHOWN])}{more}.")
    if not series:
        raise DataError(f"{path} holds no series behind its line @data.")
    return TsFile(path, names, tuple(series), tuple(labels), tuple(i for i, _ in lines[begin + 1 :]))


def _header(path: Path, lines: list[str]) -> tuple[str, ...]:
    """The class names. Raises: DataError for what ddbench does not read: regression, time stamps, no classes."""
    said = {key.lower(): rest.split() for key, _, rest in (line.partition(" ") for line in lines)}
    if said.get("@timestamps", ["false"])[0].lower() == "true":
        raise DataError(f"{path} has time stamps; series with equal steps and none are asked for (@timeStamps false).")
    words = said.get("@classlabel", ["false"])
    if words[0].lower() != "true" or len(words) < 3:
        raise DataError(f"{path} should name two classes or more in a line @classLabel true A B …; it names none.")
    return tuple(words[1:])


def _series(line: str, gaps: Gaps) -> tuple[Float32[np.ndarray, "c t"], str]:
    """(values, label) of a line. Raises: ValueError."""
    import numpy as np

    *channels, label = (part.strip() for part in line.split(":"))
    if not channels:
        raise ValueError("it has no ':' before a class label")
    lists = [_numbers(k, channel, gaps) for k, channel in enumerate(channels)]
    if len({len(values) for values in lists}) > 1:
        raise ValueError(f"its channels have unequal lengths ({', '.join(str(len(v)) for v in lists)})")
    return np.array(lists, dtype=np.float32), label


def _numbers(channel: int, text: str, gaps: Gaps) -> Float32[np.ndarray, " t"]:
    import numpy as np

    words = [word.strip() for word in text.split(",")]
    try:
        values = np.array(["nan" if word.lower() in MISSING else word for word in words], dtype=np.float64)
    except ValueError:
        wrong = next(word for word in words if not _is_number(word))
        raise ValueError(f"channel {channel} holds {wrong[:20]!r}, which is no number") from None
    if np.isinf(values).any():
        raise ValueError(f"channel {channel} holds a value that is infinite")
    missing = np.isnan(values)
    if missing.any():
        at = int(missing.argmax())
        if gaps == "refuse" or missing.all():
            way = "" if missing.all() else "; `gaps: interpolate` fills gaps along straight lines"
            raise ValueError(
                f"channel {channel} lacks {missing.sum()} of {len(values)} values, first at position {at}{way}"
            )
        known = np.flatnonzero(~missing)
        values = np.interp(np.arange(len(values)), known, values[known])
    return values


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return word.lower() in MISSING
    return True
