"""Where weights lie: the folder that DDBENCH_MODELS names, the package itself, the Hugging Face cache. No network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ddbench_codecs.autoencoders.known import KNOWN

MODELS_VARIABLE = "DDBENCH_MODELS"
DEFAULT_ROOT = "~/.cache/ddbench/models"
SHIPPED = "shipped:"
CONFIG = "config.json"
STEM = "diffusion_pytorch_model"


def models_root() -> Path:
    """The folder of local weights: $DDBENCH_MODELS, else `~/.cache/ddbench/models`. It need not exist."""
    return Path(os.environ.get(MODELS_VARIABLE) or DEFAULT_ROOT).expanduser()


def hub_cache() -> Path:
    """The folder in which huggingface_hub keeps what it has fetched."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def shipped_root() -> Path:
    return Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class Place:
    """Which weights are meant: by name, never by path, so that a cell means the same everywhere."""

    model: str
    """`shipped:NAME`, the name of a folder below `models_root()`, or a Hugging Face id, `owner/name`."""
    subfolder: str = ""
    revision: str = "main"
    """Of a Hugging Face repository."""
    variant: str = ""

    def __str__(self) -> str:
        return self.model + (f", subfolder {self.subfolder}" if self.subfolder else "")

    @property
    def weights_file(self) -> str:
        return f"{STEM}.{self.variant}.safetensors" if self.variant else f"{STEM}.safetensors"

    @property
    def index_file(self) -> str:
        """Names the parts of weights that come in several files."""
        return f"{STEM}.safetensors.index.{self.variant}.json" if self.variant else f"{STEM}.safetensors.index.json"

    @property
    def is_shipped(self) -> bool:
        return self.model.startswith(SHIPPED)

    @property
    def hub_id(self) -> str | None:
        """The id, where the name can be one."""
        return self.model if self.model.count("/") == 1 and not self.is_shipped else None

    @property
    def is_below_models(self) -> bool:
        """Whether a local folder is meant, not a repository: the name's first part is one, and nothing was fetched."""
        fetched = self.hub_repository is not None and self.hub_repository.is_dir()
        if self.model in KNOWN or fetched:
            return False
        return "/" in self.model and (models_root() / self.model.split("/")[0]).is_dir()

    @property
    def local(self) -> Path:
        """The folder that is looked at first."""
        if self.is_shipped:
            return shipped_root() / self.model.removeprefix(SHIPPED) / self.subfolder
        return models_root() / self.model / self.subfolder

    @property
    def hub_folder(self) -> Path | None:
        """The folder in the Hugging Face cache, once there is one for this revision."""
        if self.hub_id is None:
            return None
        from huggingface_hub import try_to_load_from_cache

        name = self.in_repository(CONFIG)
        found = try_to_load_from_cache(self.hub_id, name, cache_dir=hub_cache(), revision=self.revision)
        return Path(found).parent if isinstance(found, str) else None

    @property
    def hub_repository(self) -> Path | None:
        """Where the Hugging Face cache has everything of the repository."""
        return None if self.hub_id is None else hub_cache() / f"models--{self.hub_id.replace('/', '--')}"

    def in_repository(self, file: str) -> str:
        return f"{self.subfolder}/{file}" if self.subfolder else file
