"""The Attune daemon and its command line."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("attune")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0"
