"""Write the C source of one of the binding's two modules.

    generate.py {_f32,_f64} OUTPUT.c

The declarations are those of attune_core_api.h. The C compiler knows the core's structures; Python only needs their
sizes, which cffi asks the compiler for.
"""

import sys
from pathlib import Path

from cffi import FFI

API = Path(__file__).with_name("attune_core_api.h")
REAL = {"_f32": "float", "_f64": "double"}
OPAQUE = ("schema", "window", "head", "filter", "node", "frame_decoder")


def declarations(module: str) -> str:
    """The API header without preprocessor lines, preceded by what it takes from the core's headers."""
    lines = [line for line in API.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    sizes = [f"struct attune_{name} {{ ...; }};" for name in OPAQUE]
    forward = {f"struct attune_{name};" for name in OPAQUE}
    return "\n".join([f"typedef {REAL[module]} attune_real;", *sizes, *(line for line in lines if line not in forward)])


def main(module: str, output: str) -> None:
    ffi = FFI()
    ffi.cdef(declarations(module))
    includes = '#include "attune_core_api.h"\n#include "framing/frame.h"\n#include "node/node.h"\n'
    ffi.set_source(f"attune_core.{module}", includes, py_limited_api=True)
    ffi.emit_c_code(output)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in REAL:
        sys.exit("Usage: generate.py {_f32,_f64} OUTPUT.c")
    main(sys.argv[1], sys.argv[2])
