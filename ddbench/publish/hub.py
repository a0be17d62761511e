"""A dataset repository of the Hugging Face Hub. huggingface_hub is imported when something is sent."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ddbench.errors import RunError
from ddbench.publish.card import README
from ddbench.publish.gather import Item
from ddbench.publish.places import Place, Sent, foreign
from ddbench.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAIN = "main"
FILES_A_COMMIT = 500
SECRET = re.compile(r"hf_[A-Za-z0-9_]+|(?i:bearer)\s+\S+")


class Hub(Place):
    """Goes by the token of the environment (HF_TOKEN) or of `hf auth login`, which is shown nowhere."""

    def __init__(self, repository: str, revision: str | None = None, private: bool = False) -> None:
        self.repository, self.revision, self.private = repository, revision or MAIN, private
        self.title = f"the dataset repository {repository}, branch {self.revision}"
        self.name = repository.partition("/")[2]
        branch = f" --revision {self.revision}" if revision else ""
        self.fetch = (f"hf download {repository} --repo-type dataset{branch} --local-dir here",)

    def send(self, items: Sequence[Item]) -> Sent:
        # huggingface_hub reads its environment when it is imported, which may have been long ago in a notebook
        endpoint = os.environ.get("HF_ENDPOINT") or None
        try:
            from huggingface_hub import HfApi
            from huggingface_hub.utils import disable_progress_bars

            if not sys.stderr.isatty():
                disable_progress_bars()
            api = HfApi(endpoint=endpoint, library_name="ddbench", library_version=__version__)
            return self._send(api, items)
        except (RunError, MemoryError):
            raise
        except Exception as error:
            raise RunError(self._sentence(error)) from error

    def _send(self, api: HfApi, items: Sequence[Item]) -> Sent:
        from huggingface_hub import CommitOperationAdd

        there: dict[str, Any] = {"repo_id": self.repository, "repo_type": "dataset"}
        url = api.create_repo(**there, private=self.private or None, exist_ok=True)
        if self.revision != MAIN:
            api.create_branch(**there, branch=self.revision, exist_ok=True)
        tree = api.list_repo_tree(**there, recursive=True, revision=self.revision)
        held = {entry.path: entry for entry in tree if hasattr(entry, "blob_id")}
        unchanged = {i.path: None for i in items if i.path in held and _same(i.read(), held[i.path])}
        changed = [i for i in items if i.path not in unchanged]
        if (
            any(i.path == README for i in changed)
            and README in held
            and not any(p.startswith("results/") for p in held)
        ):
            raise foreign(self.repository)
        for part in _parts(changed):
            api.create_commit(
                **there,
                revision=self.revision,
                operations=[CommitOperationAdd(i.path, i.read()) for i in part],
                commit_message=f"{len(part)} files by ddbench publish",
            )
        return Sent(tuple(i.path for i in changed), tuple(unchanged), str(url))

    def _sentence(self, error: Exception) -> str:
        """What went wrong and what to do, without addresses or tokens."""
        again = "Once that is mended, publish again: what is there already is not sent twice."
        for cause in _causes(error):
            response = getattr(cause, "response", None)
            if (code := getattr(response, "status_code", None)) is not None:
                return f"{self.repository}: {_refusal(code, str(getattr(cause, 'server_message', None) or ''))} {again}"
        names = {type(cause).__name__ for cause in _causes(error)}
        if "OfflineModeIsEnabled" in names:
            return "HF_HUB_OFFLINE is set, so the hub is not asked. Unset it to publish."
        if any(isinstance(c, OSError) or _of_network(c) for c in _causes(error)):
            return f"The hub could not be reached for {self.repository} ({type(error).__name__}). {again}"
        return f"{self.repository} did not take the files: {type(error).__name__}: {_one_line(str(error))}"


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Files of one commit each; the README comes last, so that it never speaks of what is not there."""
    ordered = sorted(items, key=lambda item: (item.path == README, item.path))
    for start in range(0, len(ordered), FILES_A_COMMIT):
        yield ordered[start : start + FILES_A_COMMIT]


def _same(data: bytes, entry: Any) -> bool:
    """Whether a file of the repository has this content, by its digest: SHA-256 of large ones, else git's of a blob."""
    if entry.lfs is not None:
        return hashlib.sha256(data).hexdigest() == entry.lfs.sha256
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == entry.blob_id


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _of_network(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in (
        "httpx",
        "httpx2",
        "httpcore",
        "httpcore2",
        "requests",
        "urllib3",
    )


def _refusal(code: int, said: str) -> str:
    words = f"the hub answered {code}" + (f" ({_one_line(said)})" if said else "")
    if code == 401:
        return f"{words}: it does not know you. Log in with `hf auth login`, or set HF_TOKEN to a token that may write."
    if code == 403:
        return f"{words}: your token may not write there. Use one with write access to that owner's repositories."
    if code == 404:
        return f"{words}: there is no such owner, repository or branch for you."
    if code == 429:
        return f"{words}: too many requests. Wait a while."
    return f"{words}."


def _one_line(text: str) -> str:
    return SECRET.sub("…", " ".join(text.split()))[:200]
