"""Statistics of accuracies: intervals, paired tests, tie groups, scores. torch-free; numpy and scipy come when used."""

from ddbench.stats.basic import CONFIDENCE, mean, sd, t_quantile
from ddbench.stats.intervals import (
    Interval,
    interval,
    sampled_half_width,
    sampled_interval,
)
from ddbench.stats.paired import Difference, PairedDifference, paired_difference
from ddbench.stats.pairs import Pairs, matched
from ddbench.stats.resampling import paired_bootstrap, sign_flip_p
from ddbench.stats.scores import (
    area_under_log_bytes,
    augmentation_robust_score,
    gain,
    label_robust_score,
    recovery,
)
from ddbench.stats.ties import tie_groups

__all__ = [
    "CONFIDENCE",
    "Difference",
    "Interval",
    "PairedDifference",
    "Pairs",
    "area_under_log_bytes",
    "augmentation_robust_score",
    "gain",
    "interval",
    "label_robust_score",
    "matched",
    "mean",
    "paired_bootstrap",
    "paired_difference",
    "recovery",
    "sampled_half_width",
    "sampled_interval",
    "sd",
    "sign_flip_p",
    "t_quantile",
    "tie_groups",
]
