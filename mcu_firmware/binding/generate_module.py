"""Write the C source of one extension module of `attune_core` from the binding's header.

    generate_module.py HEADER f32|f64 OUTPUT.c

The header is the one declaration of what Python may call. It holds C declarations that cffi can read; its preprocessor
lines are left out here, except a `#define` of a plain number, and stay in force for the C compiler.
"""

import re
import sys
from pathlib import Path

from cffi import FFI

REAL = {"f32": "float", "f64": "double"}
CONSTANT = re.compile(r"#\s*define\s+\w+\s+-?(0[xX][0-9a-fA-F]+|\d+)\s*(/\*.*\*/)?$")


def declarations(header: str, real: str) -> str:
    """The header as cffi reads it, with the number type of this build."""
    joined = header.replace("\\\n", " ")
    kept = [line for line in joined.splitlines() if not line.lstrip().startswith("#") or CONSTANT.match(line.strip())]
    return f"typedef {REAL[real]} attune_real;\n" + "\n".join(kept)


def main(header: Path, real: str, output: Path) -> None:
    ffi = FFI()
    ffi.cdef(declarations(header.read_text(), real))
    ffi.set_source(f"attune_core._{real}", f'#include "{header.name}"', py_limited_api=True)
    ffi.emit_c_code(str(output))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
