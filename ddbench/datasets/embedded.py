"""The dataset that is always there: a stratified subset of Fashion-MNIST inside the wheel, two PNG pictures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ddbench.canonical import digest
from ddbench.datasets.idx import FASHION_CLASSES, FASHION_SIGNAL, SIDE
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

FILES = Path(__file__).parent / "files"
COLUMNS = 50
"""Pictures side by side in the sheet; a divisor of every split's pictures a class."""


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: the pictures of one split in a grid, row by row, all of class 0 first.

    As a dataset they are read class after class in turn (0 1 … 9 0 1 …), so that no reader meets sorted labels.
    """

    file: str
    split: str
    per_class: int
    sha256: str

    def read(self, folder: Path) -> Split:
        """uint8 `[K·per_class, 1, h, w]` and labels. Raises: DataError where the file is missing or damaged."""
        import numpy as np
        import torch
        from PIL import Image

        with Image.open(BytesIO(self._verified(folder / self.file))) as picture:
            grid = np.array(picture)
        images = torch.from_numpy(in_turn(grid, len(FASHION_CLASSES)))
        return Split(images[:, None], torch.arange(len(images)) % len(FASHION_CLASSES))

    def _verified(self, path: Path) -> bytes:
        again = "The installation is damaged: install ddbench again."
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"The embedded file {path} cannot be read: {error.strerror or error}. {again}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise DataError(f"The embedded file {path} should have SHA-256 {self.sha256}; found {found}. {again}")
        return content


def in_turn(grid: UInt8[np.ndarray, "rows cols"], n_classes: int) -> UInt8[np.ndarray, "n h w"]:
    """The pictures of a sheet, class after class in turn."""
    import numpy as np

    tiles = grid.reshape(-1, SIDE, COLUMNS, SIDE).swapaxes(1, 2).reshape(n_classes, -1, SIDE, SIDE)
    return np.ascontiguousarray(tiles.swapaxes(0, 1)).reshape(-1, SIDE, SIDE)


class FashionMnistSmall(Dataset):
    """600 training and 100 test pictures a class of Fashion-MNIST, drawn from its training and test split."""

    version = "1"
    source = (
        "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv:1708.07747; subset by tools/make_fashion_mnist_small.py"
    )
    folder: ClassVar[Path] = FILES
    train: ClassVar[Sheet] = Sheet(
        "fashion_mnist_small_train.png",
        "train",
        600,
        "f06e0871569b391803b70f55a4388b8f9ee3aa0818805ce226129c39a2047104",
    )
    test: ClassVar[Sheet] = Sheet(
        "fashion_mnist_small_test.png", "test", 100, "990d0d19a06be7f6bf68cfe76ab4ad8fda3b9980c1ef910ebdae03ef59582a79"
    )

    def card(self) -> DatasetCard:
        K = len(FASHION_CLASSES)
        return DatasetCard(
            name="fashion_mnist_small",
            revision=digest([self.train.sha256, self.test.sha256])[:16],
            signal=FASHION_SIGNAL,
            class_names=FASHION_CLASSES,
            train_size=K * self.train.per_class,
            test_size=K * self.test.per_class,
            licence="MIT",
            smallest_class=self.train.per_class,
            signal_bytes=SIDE * SIDE,
            family="fashion_mnist",
        )

    def load(self) -> tuple[Split, Split]:
        return self.train.read(self.folder), self.test.read(self.folder)
