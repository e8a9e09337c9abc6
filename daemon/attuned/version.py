"""The version that is installed; not in the package itself, since looking it up takes longer than the help."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("attune")
except PackageNotFoundError:  # run from a source tree that was never installed
    VERSION = "0"
