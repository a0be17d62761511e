"""WAV and FLAC files as samples in [−1, 1] at one rate. torch-free."""

from __future__ import annotations

import warnings
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float64

SUFFIXES = (".wav", ".flac")


def samples(path: Path, rate: int, resample: bool) -> Float64[np.ndarray, " n"]:
    """The file's samples, the mean of its channels. `resample`: bring files of another rate to this one.

    Raises: DataError naming a file that is broken, empty, or of another rate.
    """
    import numpy as np

    found, x = _flac(path) if path.suffix.lower() == ".flac" else _wav(path)
    x = x.mean(1) if x.ndim == 2 else x
    if not len(x):
        raise DataError(f"{path} holds no samples. Take it out.")
    if not np.isfinite(x).all():
        raise DataError(f"{path} holds samples that are not finite. Take it out.")
    if found == rate:
        return x
    if not resample:
        raise DataError(
            f"{path} has {found} samples a second; the dataset is declared at {rate}. Give `rate: {found}`, or "
            "`resample: true` to bring all files to the declared rate."
        )
    from scipy.signal import resample_poly

    common = gcd(found, rate)
    return resample_poly(x, rate // common, found // common)


def _wav(path: Path) -> tuple[int, Float64[np.ndarray, "..."]]:
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks that hold no sound
            rate, raw = wavfile.read(path)
    except (OSError, ValueError, EOFError, MemoryError, IndexError) as error:
        raise DataError(f"{path} is no WAV file that can be read: {str(error).rstrip('.')}.") from error
    except Exception as error:  # struct.error and whatever else a header can provoke
        raise DataError(
            f"{path} is no WAV file that can be read: {type(error).__name__}: {str(error).rstrip('.')}."
        ) from error
    if raw.dtype == "uint8":
        return int(rate), (raw.astype("float64") - 128) / 128
    if raw.dtype.kind == "i":
        return int(rate), raw.astype("float64") / 2.0 ** (8 * raw.dtype.itemsize - 1)
    return int(rate), raw.astype("float64")


def _flac(path: Path) -> tuple[int, Float64[np.ndarray, "..."]]:
    try:
        import soundfile  # pyright: ignore[reportMissingImports]
    except (ImportError, OSError) as error:
        raise DataError(
            f"{path} is a FLAC file, which the package soundfile reads; it is not installed.",
            "Install it: pip install 'ddbench[audio]', or turn the files into WAV.",
        ) from error
    try:
        x, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path} is no FLAC file that can be read: {str(error).rstrip('.')}.") from error
    return int(rate), x
