"""Boosted regression trees as plain arrays, answered by NumPy alone: what trained them is not needed to ask them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES = 64  # a tree's leaves are the bits of one word
WRITTEN_FOR_INFINITY = 1e300  # by LightGBM, where only what is missing goes right
ROWS_AT_ONCE = 1024  # rows x trees words: as many as stay in the cache


@dataclass(frozen=True, eq=False)
class _Tests:
    """All tests of one feature: which leaves are left, by how many of its thresholds a value exceeds."""

    feature: int
    thresholds: NDArray[np.float32]  # ascending, different
    left: NDArray[np.uint64]  # (thresholds + 2, trees): the last row is for NaN


@dataclass(frozen=True, eq=False)
class Trees:
    """Nodes of all trees one after another, each tree's in an order in which parents precede their children.

    A row goes left in node n where its value of `feature[n]` is at most `threshold[n]`, or is NaN and
    `missing_left[n]`. Children are nodes, or leaves as `~leaf`. Nodes and leaves are numbered through all trees;
    tree t has nodes `node_ends[t]` to `node_ends[t + 1]` and leaves `leaf_ends[t]` to `leaf_ends[t + 1]`, from left to
    right, at most 64. A tree without nodes is its one leaf.
    """

    n_features: int
    node_ends: NDArray[np.int32]
    leaf_ends: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    leaf_values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.node_ends) - 1

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of all trees for each row of `features` (rows, n_features), which may hold NaN.

        O(rows x trees x features that are asked), a few nanoseconds each, however deep the trees: each feature strikes
        out at once the leaves that its value rules out, and the leftmost leaf that is left is the answer.
        C. Lucchese et al.: QuickScorer, SIGIR 2015.
        """
        if features.ndim != 2 or features.shape[1] != self.n_features:
            raise ValueError(f"these trees want {self.n_features} features a row, not shape {features.shape}")
        total = np.zeros(len(features), dtype=np.float64)
        if not len(self):
            return total
        features = features.astype(np.float32, copy=False)
        for first in range(0, len(features), ROWS_AT_ONCE):
            block = features[first : first + ROWS_AT_ONCE]
            total[first : first + ROWS_AT_ONCE] = self._sums(block)
        return total

    def _sums(self, block: NDArray[np.float32]) -> NDArray[np.float64]:
        shape = (len(block), len(self))
        leaves = np.full(shape, ~np.uint64(0), dtype=np.uint64)
        for tests in self._tests:
            values = block[:, tests.feature]
            exceeded = np.searchsorted(tests.thresholds, values, side="left")
            exceeded[np.isnan(values)] = len(tests.thresholds) + 1
            leaves &= tests.left[exceeded]
        lowest = leaves & (~leaves + np.uint64(1))
        exit_leaf = np.frexp(lowest.astype(np.float64))[1] - 1  # exact: powers of two
        sums: NDArray[np.float64] = self.leaf_values[exit_leaf + self.leaf_ends[:-1]].sum(axis=1)
        return sums

    @cached_property
    def _tests(self) -> tuple[_Tests, ...]:
        """Built once, from the nodes: O(features x thresholds x trees) memory, at most a few megabytes."""
        struck = self._struck_out()
        tree = np.repeat(np.arange(len(self)), np.diff(self.node_ends))
        found = []
        for feature in np.unique(self.feature):
            nodes = np.flatnonzero(self.feature == feature)
            thresholds, place = np.unique(self.threshold[nodes], return_inverse=True)
            left = np.full((len(thresholds) + 2, len(self)), ~np.uint64(0), dtype=np.uint64)
            np.bitwise_and.at(left, (place + 1, tree[nodes]), struck[nodes])
            np.bitwise_and.accumulate(left[:-1], axis=0, out=left[:-1])
            lost = nodes[~self.missing_left[nodes]]
            np.bitwise_and.at(left[-1], tree[lost], struck[lost])
            found.append(_Tests(int(feature), thresholds, left))
        return tuple(found)

    def _struck_out(self) -> NDArray[np.uint64]:
        """For each node a word without the leaves that its left child leads to."""
        first = np.zeros(len(self.feature), dtype=np.int64)
        end = np.zeros(len(self.feature), dtype=np.int64)
        words = np.zeros(len(self.feature), dtype=np.uint64)
        tree = np.repeat(np.arange(len(self)), np.diff(self.node_ends))
        for node in range(len(self.feature) - 1, -1, -1):
            left, right = int(self.left[node]), int(self.right[node])
            first[node] = ~left if left < 0 else first[left]
            end[node] = ~right + 1 if right < 0 else end[right]
            middle = ~left + 1 if left < 0 else int(end[left])
            start = int(self.leaf_ends[tree[node]])
            bits = ((1 << (middle - start)) - 1) ^ ((1 << (int(first[node]) - start)) - 1)
            words[node] = ~np.uint64(bits)
        return words

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "n_features": np.array([self.n_features]),
            "node_ends": self.node_ends,
            "leaf_ends": self.leaf_ends,
            "feature": self.feature,
            "threshold": self.threshold,
            "left": self.left,
            "right": self.right,
            "missing_left": self.missing_left,
            "leaf_values": self.leaf_values,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        columns = {name: array for name, array in arrays.items() if name != "n_features"}
        return cls(n_features=int(arrays["n_features"][0]), **columns)

    @classmethod
    def none(cls, n_features: int = 0) -> Self:
        """No trees: every row's sum is 0."""
        start, nodes, places = np.zeros(1, np.int32), np.empty(0, np.int16), np.empty(0, np.int32)
        flags = np.empty(0, np.bool_)
        return cls(n_features, start, start, nodes, np.empty(0, np.float32), places, places, flags, np.empty(0))

    @classmethod
    def of_lightgbm(cls, dump: Mapping[str, Any]) -> Self:
        """The trees of what LightGBM's `Booster.dump_model` returns; raises ValueError for tests on categories."""
        nodes: list[tuple[int, float, int, int, bool]] = []
        leaves: list[float] = []
        node_ends, leaf_ends = [0], [0]
        for tree in dump["tree_info"]:
            _unfold(tree["tree_structure"], nodes, leaves)
            node_ends.append(len(nodes))
            leaf_ends.append(len(leaves))
            if leaf_ends[-1] - leaf_ends[-2] > MOST_LEAVES:
                raise ValueError(f"a tree has {leaf_ends[-1] - leaf_ends[-2]} leaves, more than {MOST_LEAVES}")
        feature, threshold, left, right, missing_left = zip(*nodes, strict=True) if nodes else ((),) * 5
        return cls(
            n_features=int(dump["max_feature_idx"]) + 1,
            node_ends=np.array(node_ends, np.int32),
            leaf_ends=np.array(leaf_ends, np.int32),
            feature=np.array(feature, np.int16),
            threshold=_rounded_down(np.array(threshold, np.float64)),
            left=np.array(left, np.int32),
            right=np.array(right, np.int32),
            missing_left=np.array(missing_left, np.bool_),
            leaf_values=np.array(leaves, np.float64),
        )


def _unfold(node: Mapping[str, Any], nodes: list[tuple[int, float, int, int, bool]], leaves: list[float]) -> int:
    """Append `node` and what is below it, from left to right; its number, `~leaf` for a leaf."""
    if "leaf_value" in node:
        leaves.append(float(node["leaf_value"]))
        return ~(len(leaves) - 1)
    if node["decision_type"] != "<=":
        raise ValueError(f"a test {node['decision_type']!r} is not a comparison of numbers")
    number = len(nodes)
    threshold = float(node["threshold"])
    # Where training met no missing value LightGBM takes NaN for 0.
    missing_left = bool(node["default_left"]) if node["missing_type"] == "NaN" else threshold >= 0
    nodes.append((0, 0.0, 0, 0, False))
    left = _unfold(node["left_child"], nodes, leaves)
    right = _unfold(node["right_child"], nodes, leaves)
    nodes[number] = (int(node["split_feature"]), threshold, left, right, missing_left)
    return number


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest single-precision numbers that are not above: for single-precision values the same comparison."""
    limit = np.finfo(np.float32).max
    near = np.clip(thresholds, -limit, limit).astype(np.float32)
    below = np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
    return np.where(thresholds >= WRITTEN_FOR_INFINITY, np.inf, below).astype(np.float32)
