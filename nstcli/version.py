"""The version of this installation, as records and files have it."""

from importlib.metadata import version

VERSION = version("nstcli")
