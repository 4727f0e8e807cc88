"""Neural style transfer for folders: every photo in the manner of every artwork."""

from importlib.metadata import version

__version__ = version("nstcli")
