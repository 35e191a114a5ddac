"""Record which gradients TensorFlow gives for the calls of `tests/gradients/calls.py`: a value, None or an error.

Run it with TensorFlow 2.21 installed (the `bench` extra), from the root of the repository:

    python -m tests.peers.generate_gradient_kinds

The table, `gradient_kinds.json`, is what `tests/gradients/test_none.py` compares with.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TABLE = Path(__file__).with_name("gradient_kinds.json")


def main() -> None:
    import tensorflow as tf

    from tests.gradients.calls import CALLS, outcome

    tf.get_logger().setLevel("ERROR")
    found = {}
    for call in CALLS:
        assert call.name not in found, call.name
        found[call.name] = outcome(tf, call)
    TABLE.write_text(json.dumps(dict(sorted(found.items())), indent=0) + "\n", encoding="ascii")
    print(f"{TABLE.name}: {len(found)} calls")


if __name__ == "__main__":
    main()
