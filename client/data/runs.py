"""One pass over a dataset: which random orders it drew, so that it can be taken up again.

Owns: `Run`, and `Seeded`, what names the orders of a dataset. An order is named by four numbers: a seed, the count of
datasets made under it, and the epoch. Does not know what is drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from client import seeding

State = dict[str, Any]


class Seeded:
    """The random orders of a dataset: a new one for each pass, or the same for all."""

    def __init__(self, op: str, seed: Any, renew: bool) -> None:
        words, count = seeding.next_stream(op, "", seed)
        self._words = (*words, count if seed is None else 0)
        self._renew = renew
        self._epoch = 0

    def draw(self, keep: bool) -> list[int]:
        """The name of the order of a new pass; with `keep` it does not count as one."""
        epoch = self._epoch
        if self._renew and not keep:
            self._epoch += 1
        return [*self._words, epoch]

    def go_to(self, order: Sequence[int]) -> None:
        """Draw this order next."""
        self._words, self._epoch = (order[0], order[1], order[2]), order[3]

    def passed(self, order: Sequence[int]) -> None:
        """An order of an earlier program was taken up: those after it come next."""
        self._words = (order[0], order[1], order[2])
        if self._renew:
            self._epoch = order[3] + 1


def orders_of(root: Any) -> list[list[int]]:
    """The orders of the next pass over a dataset, as plain values."""
    return [each.draw(keep=True) for each in _seeded(root)]


def set_orders(root: Any, orders: Sequence[Sequence[int]]) -> None:
    """Have the next pass over a dataset in the orders that `orders_of` gave, perhaps in another program."""
    for each, order in zip(_seeded(root), orders, strict=True):
        each.go_to(order)


class Run:
    """What the stages of one pass share.

    Args:
        root: the dataset.
        draws: the orders that an earlier pass drew, from `drawn`.
        keep: whether this pass only looks, so that the next draws the same orders.
    """

    def __init__(
        self, root: Any, draws: Mapping[str, Sequence[Sequence[int]]] | None = None, keep: bool = False
    ) -> None:
        self._root = root
        self._keep = keep
        self._numbers: dict[int, str] | None = None
        self._log: dict[str, list[list[int]]] = {}
        self._replay = {k: iter(v) for k, v in (draws or {}).items()}

    def order(self, orders: Seeded) -> list[int]:
        """The order for a new pass over one of the datasets."""
        if self._numbers is None:
            self._numbers = {id(d): str(i) for i, d in enumerate(_seeded(self._root))}
        key = self._numbers.get(id(orders), "made on the way")
        order = next(self._replay.get(key, iter(())), None)
        if order is not None:
            orders.passed(order)
        found = list(order) if order is not None else orders.draw(self._keep)
        self._log.setdefault(key, []).append(found)
        return found

    def drawn(self) -> dict[str, list[list[int]]]:
        """All orders so far, as plain values."""
        return {key: [list(order) for order in orders] for key, orders in self._log.items()}


def _seeded(root: Any) -> Iterator[Seeded]:
    found = [root._orders] if root._orders is not None else []
    return itertools.chain(found, *[_seeded(source) for source in root._inputs])
