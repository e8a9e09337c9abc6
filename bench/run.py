"""Run benchmarks by name, or all of them: `python -m bench.run [NAME]...`, or one with its options, `NAME --OPTION...`.

A benchmark is a module of this folder with a function main that prints a table, writes CSV to bench/results and returns
0 once it has measured: whether a budget is met stands in the table, and is no failure of the run.
"""

import sys
from importlib import import_module
from inspect import signature
from pathlib import Path


def names() -> list[str]:
    """Every module beside this one."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in {"run", "__init__"})


def main(words: list[str]) -> int:
    """Runs the benchmarks in turn; 2 for what cannot be run, else the worst of their exit codes."""
    first = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    wanted, options = words[:first], words[first:]
    unknown = [name for name in wanted if name not in names()]
    if unknown:
        print(f"There is no benchmark {unknown[0]}; there are {', '.join(names())}.", file=sys.stderr)
        return 2
    if options:
        return _with_options(wanted, options)
    return max((int(import_module(f"bench.{name}").main()) for name in wanted or names()), default=0)


def _with_options(wanted: list[str], options: list[str]) -> int:
    main_of = import_module(f"bench.{wanted[0]}").main if len(wanted) == 1 else None
    if main_of is None or not signature(main_of).parameters:
        print(f"Options such as {options[0]} go to one benchmark that takes options, say learners.", file=sys.stderr)
        return 2
    return int(main_of(options))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
