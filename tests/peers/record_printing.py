"""Record what TensorFlow prints for the calls in `tests/client/printed.py`.

    python -m tests.peers.record_printing

in an environment that has TensorFlow; writes `tests/client/printed.json`.
"""

import json
import tempfile
from pathlib import Path

from tests.client.printed import PROGRAMS, outcome


def main() -> None:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        found = {text: outcome(text, tf, tf.constant, Path(folder)) for text in PROGRAMS}
    lines = ",\n".join(f"{json.dumps(text)}: {json.dumps(result)}" for text, result in found.items())
    target = Path(__file__).parent.parent / "client" / "printed.json"
    target.write_text(f'{{"tensorflow": {json.dumps(tf.__version__)},\n"printed": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
