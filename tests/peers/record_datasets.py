"""Record what TensorFlow makes of the programs in `tests/data/programs.py`.

    python -m tests.peers.record_datasets

in an environment that has TensorFlow; writes `tests/data/recorded.json`.
"""

import json
from pathlib import Path

from tests.data.programs import PROGRAMS, VALUES, outcome


def main() -> None:
    import tensorflow as tf

    found = {text: outcome(text, tf) for text in (*PROGRAMS, *VALUES)}
    lines = ",\n".join(f"{json.dumps(text)}: {json.dumps(result)}" for text, result in found.items())
    target = Path(__file__).parent.parent / "data" / "recorded.json"
    target.write_text(f'{{"tensorflow": {json.dumps(tf.__version__)},\n"programs": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
