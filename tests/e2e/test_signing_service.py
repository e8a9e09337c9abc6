"""The daemon beside its signing process, which comes and goes."""

from pathlib import Path

from installation import installed, wait_until


def test_the_daemon_goes_on_while_the_signing_process_is_away(tmp_path: Path) -> None:
    # Five minutes, after which keys are asked for again, are half a second.
    with installed(tmp_path, {"r": []}, updates=True, rate=600.0) as site:
        assert "signing process" not in site.log("daemon")
        site.terminate("signer")
        wait_until(lambda: "does not answer" in site.log("daemon"), "A word about the signing process")
        assert site.status().rooms == 1
        site.start("signer")
        wait_until(lambda: "answers again" in site.log("daemon"), "A word about its return")
