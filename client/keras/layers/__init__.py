"""The names of `tf.keras.layers`. Importing this package declares every layer."""

import importlib
import pkgutil

from client.api import names_in

for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

globals().update(names_in("keras.layers"))
