"""Run benchmarks by name, or all of them: `python -m bench.run [NAME]...`.

A benchmark is a module of this folder with a function main that prints a table, writes CSV to bench/results and returns
0 once it has measured: whether a budget is met stands in the table, and is no failure of the run.
"""

import sys
from importlib import import_module
from pathlib import Path


def names() -> list[str]:
    """Every module beside this one."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in {"run", "__init__"})


def main(wanted: list[str]) -> int:
    """Runs the benchmarks in turn; 2 for a name that there is not, else the worst of their exit codes."""
    unknown = [name for name in wanted if name not in names()]
    if unknown:
        print(f"There is no benchmark {unknown[0]}; there are {', '.join(names())}.", file=sys.stderr)
        return 2
    return max((int(import_module(f"bench.{name}").main()) for name in wanted or names()), default=0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
