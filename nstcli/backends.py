"""Where pairs can be made, a row each: the name and the module with a function `work`.

See `nstcli.run.backends`; a module is imported when it is used.
"""

from collections.abc import Mapping

BACKENDS: Mapping[str, str] = {
    "local": "nstcli.run.backends.local",
    "process": "nstcli.run.backends.process",
    "ray": "nstcli.run.backends.ray",
}
