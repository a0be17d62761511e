"""Gradient-boosted trees: a student of another kind than any network that rows were matched on."""

from __future__ import annotations

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from ddbench.interfaces.estimator import Estimator, Scores
from ddbench.interfaces.plugin import PluginConfig

BINS = 255
A_TREE, A_BIN, A_VALUE = 6e6, 1e3, 1e2
"""What a tree, a bin of a column in a leaf and an item's value cost, in operations of a network: fits of 3 to 20,000
rows on one core, at 2·10¹⁰ operations a second."""


class GradientBoostingConfig(PluginConfig):
    """Arguments of the boosted trees."""

    trees: int = Field(100, ge=1, description="Boosting rounds, a tree a class each (one tree for two classes).")
    leaves: int = Field(8, ge=2, description="Leaves of a tree.")
    min_leaf: int = Field(1, ge=1, description="Items of a leaf; distilled sets have few items a class.")
    lr: float = Field(0.1, gt=0, le=1, description="Shrinkage of every tree.")
    columns: float = Field(0.5, gt=0, le=1, description="Share of the columns that a split may use, drawn by the seed.")


class GradientBoosting(Estimator):
    """Histogram gradient boosting of scikit-learn on the flattened signal, without early stopping."""

    version = "1"
    source = "Friedman 2001; Ke et al. 2017 (LightGBM), as scikit-learn's HistGradientBoostingClassifier"
    Config = GradientBoostingConfig

    def work(self, items: int, values: int, n_classes: int) -> float:
        trees = self.config.trees * (n_classes if n_classes > 2 else 1)
        return trees * (A_TREE + A_BIN * self.config.leaves * values * min(items, BINS) + A_VALUE * items * values)

    def fit(
        self, x: Float[Tensor, "n *shape"], y: Int[Tensor, " n"], weight: Float[Tensor, " n"], n_classes: int, seed: int
    ) -> Scores:
        import torch
        from sklearn.ensemble import HistGradientBoostingClassifier

        config = self.config
        present = y.unique()
        if len(present) == 1:  # which scikit-learn refuses
            only = torch.full((n_classes,), -torch.inf).index_fill(0, present, 0.0)
            return lambda x: only.expand(len(x), n_classes)
        trees = HistGradientBoostingClassifier(
            max_iter=config.trees,
            max_leaf_nodes=config.leaves,
            min_samples_leaf=config.min_leaf,
            learning_rate=config.lr,
            max_features=config.columns,
            early_stopping=False,  # pyright: ignore[reportArgumentType]  (its default is a word, its docs allow both)
            random_state=seed % 2**32,
        ).fit(x.flatten(1).numpy(), y.numpy(), sample_weight=weight.numpy())

        def scores(x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b k"]:
            found = torch.from_numpy(trees.predict_proba(x.flatten(1).numpy()))
            every = torch.zeros(len(x), n_classes, dtype=found.dtype)
            return every.index_copy(1, present, found).log()

        return scores
