"""Record what TensorFlow makes of the trainings in `tests/keras/training_programs.py`.

    python -m tests.peers.record_training

in an environment that has TensorFlow; writes `tests/keras/recorded_training.json`.
"""

import json
from pathlib import Path

from tests.keras.training_programs import PROGRAMS, outcome


def main() -> None:
    import tensorflow as tf

    found = {name: outcome(name, tf) for name in PROGRAMS}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(result, default=float)}" for name, result in found.items())
    target = Path(__file__).parent.parent / "keras" / "recorded_training.json"
    target.write_text(f'{{"tensorflow": {json.dumps(tf.__version__)},\n"programs": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
