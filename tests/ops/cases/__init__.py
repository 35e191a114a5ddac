"""Every case, from the families' tables (one module a family, named as in `protocol/ops/`)."""

import importlib
import pkgutil

from tests.ops.case import Case

ALL: list[Case] = []
for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    ALL += importlib.import_module(f"{__name__}.{_module}").CASES
