"""How far a result may be trusted: self-reported or verified, withdrawn or doubtful. torch-free.

Labels come from the maintainers' files of a leaderboard, `verifications/` and `flags.yaml`, never from a submission.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ddbench.errors import ArtifactError
from ddbench.result.flags import FILE, Flag, read_flags
from ddbench.result.schema import Result
from ddbench.result.verification import FOLDER, Comparison, Verification, read_verification

__all__ = ["Comparison", "Flag", "Label", "Labels", "Verification"]

Label = Literal["self-reported", "verified"]


@dataclass(frozen=True)
class Labels:
    """What a leaderboard's maintainers say of its results; without arguments nothing is verified or flagged."""

    flags: tuple[Flag, ...] = ()
    verifications: tuple[Verification, ...] = ()
    unreadable: tuple[str, ...] = ()
    """A sentence for each verification that cannot be read, and hence does not count."""
    _flag: dict[tuple[str, str | None], Flag] = field(init=False, repr=False, compare=False)
    _verified: dict[tuple[str, str], Verification] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_flag", {(f.key, f.run_id): f for f in self.flags})
        object.__setattr__(self, "_verified", {(v.key, v.run_id): v for v in self.verifications})

    @classmethod
    def read(cls, folder: Path) -> Labels:
        """Those of a leaderboard: the folder that holds `results/`, perhaps `flags.yaml`, perhaps `verifications/`.

        Raises: SpecError that lists every mistake of `flags.yaml`, since a mistyped withdrawal must not leave a row
        ranked. A verification that cannot be read only fails to verify.
        """
        flags = read_flags(folder / FILE) if (folder / FILE).exists() else ()
        found, unreadable = [], []
        for path in sorted((folder / FOLDER).glob("*.json")):
            try:
                verification = read_verification(path)
                if path.name != verification.file_name:
                    raise ArtifactError(f"{path} should be called {verification.file_name}.")
                found.append(verification)
            except ArtifactError as error:
                unreadable.append(str(error))
        return cls(flags, tuple(found), tuple(unreadable))

    def verification(self, result: Result) -> Verification | None:
        """The one that speaks of what the result claims today, whatever its verdict."""
        found = self._verified.get((result.key, result.run_id))
        return found if found is not None and found.is_of(result) else None

    def label(self, result: Result) -> Label:
        found = self.verification(result)
        return "verified" if found is not None and found.verdict == "agrees" else "self-reported"

    def flag(self, result: Result) -> Flag | None:
        """The result's own flag or its key's; of the two, the one that withdraws."""
        if not self._flag:
            return None
        flags = [f for run in (result.run_id, None) if (f := self._flag.get((result.key, run)))]
        return next((f for f in flags if f.kind == "withdrawn"), flags[0] if flags else None)

    def ranked(self, results: Iterable[Result]) -> list[Result]:
        """The results less those that are withdrawn: what tables rank."""
        return [r for r in results if (flag := self.flag(r)) is None or flag.kind != "withdrawn"]
