"""All gradient rules, by family, in files named as in `protocol/ops/`. Importing this package declares every rule;
`protocol.gradients.engine` runs them.
"""

import importlib
import pkgutil

from protocol.gradients.engine import Node, Plan, backward, densified, plan
from protocol.gradients.registry import GRADIENTS, Gradient
from protocol.gradients.terms import Slices, Term

for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

__all__ = ["GRADIENTS", "Gradient", "Node", "Plan", "Slices", "Term", "backward", "densified", "plan"]
