"""A check of docs/security.md, with the small change that removes it and the test that has to notice."""

from dataclasses import dataclass

CORE = "mcu_firmware/core"
C_TESTS = "mcu_firmware/tests"
NODES = "daemon/attuned/nodes"


@dataclass(frozen=True)
class Removal:
    """`right` stands in the file exactly once; with `wrong` in its place nothing checks the claim any more.

    `test` is a path and a name: a test of pytest, or a function of a C test.
    """

    claim: str
    file: str
    right: str
    wrong: str
    test: str

    @property
    def is_c(self) -> bool:
        return self.file.endswith(".c")
