"""Record which events TensorFlow writes for the calls in `tests/client/summarized.py`.

    python -m tests.peers.record_summaries

in an environment that has TensorFlow, TensorBoard and Pillow; writes `tests/client/summarized.json`.
"""

import json
from pathlib import Path

from tests.client.summarized import PROGRAMS, outcome


def main() -> None:
    import tensorflow as tf

    lines = ",\n".join(f"{json.dumps(text)}: {json.dumps(outcome(text, tf, tf.constant))}" for text in PROGRAMS)
    target = Path(__file__).parent.parent / "client" / "summarized.json"
    target.write_text(f'{{"tensorflow": {json.dumps(tf.__version__)},\n"recorded": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
