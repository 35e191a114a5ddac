"""A book as plain values, for a session that goes on after a restart of the server.

Owns: `book_state` and `restored_book`. Does not know who writes them (`server.persistence`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from protocol.gradients import Node
from protocol.spec import Spec
from server.api.book import Book, Entry


def book_state(book: Book) -> dict[str, Any]:
    """What `restored_book` makes a book of."""
    entries = [
        (e.id, e.kind, None if e.spec is None else tuple(e.spec), e.name, e.error, [_node_state(n) for n in e.nodes])
        for e in book.entries.values()
    ]
    # A number that is taken here and not used costs nothing; one that is given twice would cost the session.
    return {
        "ids": next(book.ids), "numbers": next(book.numbers), "bound": list(book.bound.items()), "entries": entries,
    }  # fmt: skip


def restored_book(state: Mapping[str, Any]) -> Book:
    """A book with the state of another."""
    book = Book()
    book.ids, book.numbers = itertools.count(state["ids"]), itertools.count(state["numbers"])
    book.bound = dict(state["bound"])
    for identifier, kind, spec, name, error, nodes in state["entries"]:
        entry = Entry(identifier, kind, None if spec is None else Spec(*spec), name)
        entry.error = error
        entry.nodes = [_node(*n) for n in nodes]
        book.add(entry)
    return book


def _node_state(node: Node) -> tuple[Any, ...]:
    specs = [tuple(s) for s in node.in_specs], [tuple(s) for s in node.out_specs]
    return node.name, dict(node.attrs), node.positions, list(node.in_ids), list(node.out_ids), *specs


def _node(
    name: str, attrs: Any, positions: Any, in_ids: Any, out_ids: Any, in_specs: Any, out_specs: Any
) -> Node:  # fmt: skip
    nothing = (None,) * len(in_ids), (None,) * len(out_ids)
    given = tuple([Spec(*s) for s in in_specs])
    made = tuple([Spec(*s) for s in out_specs])
    return Node(name, attrs, positions, in_ids, given, nothing[0], out_ids, made, nothing[1])
