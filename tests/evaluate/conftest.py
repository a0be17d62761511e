"""One thread a process: networks of a few channels gain nothing from more, and several test workers share the cores."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
