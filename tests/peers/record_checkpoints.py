"""Record what TensorFlow makes of the checkpoint programs in `tests/peers/checkpoints`.

    python -m tests.peers.record_checkpoints

in an environment that has TensorFlow; writes `tests/client/recorded_checkpoints.json`.
"""

import json
from pathlib import Path

from tests.peers.checkpoints import PROGRAMS, outcome


def main() -> None:
    import tensorflow as tf

    found = {name: outcome(name, tf) for name in PROGRAMS}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(result)}" for name, result in found.items())
    target = Path(__file__).parent.parent / "client" / "recorded_checkpoints.json"
    target.write_text(f'{{"tensorflow": {json.dumps(tf.__version__)},\n"programs": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
