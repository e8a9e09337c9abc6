"""`attuned` with a retraining that never ends by itself: it writes its process id beside the configuration."""

import sys
from pathlib import Path

FOLDER = Path(sys.argv[sys.argv.index("--config") + 1]).parent

if __name__ == "__main__":
    from attuned.app import run
    from attuned.learning import retraining

    worker = FOLDER / "worker.sh"
    worker.write_text(
        f'#!/bin/sh\ntrap "" TERM\necho $$ > {FOLDER}/retraining.new\n'
        f"mv {FOLDER}/retraining.new {FOLDER}/retraining\nexec sleep 600\n"
    )
    worker.chmod(0o755)

    class Endless:
        executable = str(worker)

    retraining.__dict__["sys"] = Endless
    run()
