"""What is said of a restore: the status that it gives.

Owns: `CheckpointLoadStatus`, `InitializationOnlyStatus`, restoring from a path. Does not know how objects are matched
(`client.train.restoring`) or formats.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from client.tracking import Stateful, children, waiting_for
from client.train.bundle import INDEX, Index, parse
from client.train.places import Place, place_of
from client.train.restoring import Restoration, named, restored_by
from client.variable import Variable


class CheckpointLoadStatus:
    """What came of a restore: assertions about it. `Checkpoint.restore`, `read` and `Model.load_weights` give one."""

    def __init__(self, restoration: Restoration, root: Any, attached: Iterable[tuple[str, Any]] = ()) -> None:
        self._restoration = restoration
        self._root = root
        self._attached = list(attached)

    def __repr__(self) -> str:
        left = sum(1 for _ in self._restoration.unmatched())
        found = sum(node.has_value for node in self._restoration.nodes) - left
        waits = f", {left} without an object yet" if left else ""
        return f"<CheckpointLoadStatus: {found} values restored{waits}>"

    def assert_consumed(self) -> CheckpointLoadStatus:
        """Check that every value of the checkpoint has its object, and every object its value. Gives itself.

        Raises:
            AssertionError: one has not.
        """
        self.assert_existing_objects_matched()
        for _, name in self._restoration.unmatched():
            raise AssertionError(f"Unresolved object in checkpoint: {name} has a value, and the program no such object")
        return self

    def assert_existing_objects_matched(self) -> CheckpointLoadStatus:
        """Check that every object there is has a value from this restore or a later one. Gives itself.

        Raises:
            AssertionError: one has none.
        """
        restoration = self._restoration
        for number, node in enumerate(restoration.nodes):
            live = restoration.objects.get(number)
            if live is not None and node.has_value and restored_by(live) < restoration.order:
                raise AssertionError(f"Object not assigned a value from checkpoint: {named(live)}")
        self._look()
        left = [live for live in restoration.objects.unbound() if isinstance(live, Variable | Stateful)]
        if left:
            shown = ", ".join(map(named, left[:10]))
            raise AssertionError(
                f"Found {len(left)} Python objects that were not bound to checkpointed values, likely due to changes "
                f"in the Python program: {shown}{', ...' if len(left) > 10 else ''}"
            )
        return self

    def assert_nontrivial_match(self) -> CheckpointLoadStatus:
        """Check that anything but the root was found in the checkpoint. Gives itself.

        Raises:
            AssertionError: nothing was.
        """
        self._look()
        if len(self._restoration.objects) > 1:
            return self
        left = [live for live in self._restoration.objects.unbound() if isinstance(live, Variable | Stateful)]
        if not left:
            raise AssertionError(f"Nothing to load. No dependencies have been added to {named(self._root)} yet.")
        raise AssertionError(
            "Nothing except the root object matched a checkpointed value. Typically this means that the checkpoint "
            f"does not match the Python program. Without a value are: {', '.join(map(named, left[:10]))}"
        )

    def expect_partial(self) -> CheckpointLoadStatus:
        """Don't warn of values that nobody wanted. Gives itself."""
        self._restoration.expect_partial = True
        return self

    def awaits(self, live: Any) -> bool:
        """Whether the checkpoint has values for children that an object does not have yet."""
        return bool(waiting_for(live))

    def value_of(self, live: Any) -> Any:
        """The value that a small variable got, None where it is not known here."""
        return self._restoration.value_of(live)

    def run_restore_ops(self, session: Any = None) -> None:
        """Nothing: values are restored at once."""

    def initialize_or_restore(self, session: Any = None) -> None:
        """Nothing: values are restored at once."""

    def _look(self) -> None:
        """See all objects that there are now."""
        queue = deque([self._root, *(child for _, child in self._attached)])
        found: set[int] = set()
        while queue:
            live = queue.popleft()
            if id(live) not in found:
                found.add(id(live))
                self._restoration.objects.saw(live)
                queue.extend(child for _, child in children(live))


def read_checkpoint(
    path: str, root: Any, attached: Sequence[tuple[str, Any]] = (), spare_shapes: bool = False
) -> CheckpointLoadStatus:
    """Restore the checkpoint at a path of the user's to `root` and the more children that are `attached` to it.

    With `spare_shapes`, variables of another shape than what was saved keep their values.
    """
    place, name = place_of(path)
    index = parse(place.read(name + INDEX), path + INDEX)
    folder = name[: len(name) - len(name.replace("\\", "/").rpartition("/")[2])]
    return restore_index(index, place, folder + index.data, root, attached, spare_shapes)


def restore_index(
    index: Index,
    place: Place,
    data: str,
    root: Any,
    attached: Sequence[tuple[str, Any]] = (),
    spare_shapes: bool = False,
) -> CheckpointLoadStatus:
    """`read_checkpoint`, of an index that was read, with the values in the file `data` of a place."""
    restoration = Restoration(index, place, data)
    if spare_shapes:
        restoration.skip_mismatches()
    try:
        restoration.match(0, root, attached=[pair for pair in attached if pair[0] != "root"])
    except BaseException:
        restoration.cancel()
        raise
    return CheckpointLoadStatus(restoration, root, attached)


class InitializationOnlyStatus:
    """What `restore(None)` gives: nothing was restored, and every assertion fails."""

    def _fail(self) -> Any:
        raise AssertionError("No checkpoint specified (save_path=None); nothing is being restored.")

    def assert_consumed(self) -> Any:
        """Raises AssertionError."""
        return self._fail()

    def assert_existing_objects_matched(self) -> Any:
        """Raises AssertionError."""
        return self._fail()

    def assert_nontrivial_match(self) -> Any:
        """Raises AssertionError."""
        return self._fail()

    def expect_partial(self) -> InitializationOnlyStatus:
        """Gives itself."""
        return self

    def run_restore_ops(self, session: Any = None) -> Any:
        """Raises AssertionError."""
        raise AssertionError(
            "No checkpoint specified, so no restore ops are available (save_path=None to Saver.restore)."
        )

    def initialize_or_restore(self, session: Any = None) -> None:
        """Nothing: variables have their first values when they are made."""
