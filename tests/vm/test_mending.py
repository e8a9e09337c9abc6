"""What no service mends by itself, under systemd: a restore cut off half-way, keys that are gone, a task that hangs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed_machine import NO_NTP, SERVICES, Installed, Prepared
from installed_site import PASSPHRASE, at_work

pytest_plugins = ["installed_site"]

PYTHON = "/usr/lib/attune/bin/python"

# A restore that stands still before the last of its two steps.
HALF_WAY = """
import signal
from pathlib import Path
from attuned.backup.swapping import Slot
from attuned.cli import main

swap, done = Slot.swap, []

def swap_once(slot):
    if done:
        Path("/run/half-way").touch()
        signal.pause()
    done.append(slot)
    swap(slot)

Slot.swap = swap_once
main()
"""

# A daemon whose commits hang for as long as there is /etc/attune/hang.
HANGING = Path(__file__).parents[1] / "e2e" / "launchers" / "hung_commits.py"

SIGNING_KEY = "/etc/attune/signing/signing-key"


@pytest.fixture(scope="module")
def site(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    with at_work(prepared, tmp_path_factory.mktemp("mending")) as found:
        yield found


def test_a_restore_that_a_power_cut_left_half_way_is_ended_before_anything_starts(site: Installed) -> None:
    path = json.loads(site.attune("backup", "--json", user="root").stdout)["path"]
    site.sh("echo '# Later.' >> /etc/attune/attuned.toml")
    assert site.show("attune-restore", "ConditionResult") == {"ConditionResult": "no"}
    site.machine.write("/srv/half_way.py", HALF_WAY.encode())
    command = f"{PYTHON} /srv/half_way.py restore {path} --passphrase-file {PASSPHRASE}"
    site.sh(f"systemd-run --quiet --unit=half-way {command}")
    site.until(lambda: site.sh("ls /run/half-way"), "A restore that is half-way")
    assert not any(site.active(unit) for unit in SERVICES)
    site.sh("sync")
    site.machine.kill()
    site.machine.boot()
    site.wait_active(*SERVICES)
    done = {"ConditionResult": "yes", "Result": "success", "ExecMainStatus": "0"}
    assert site.show("attune-restore", *done) == done
    assert site.sh("ls -d /etc/attune.restoring* /var/lib/attune.restoring* || true") == ""
    (etc_before,) = site.sh("ls -d /etc/attune.before-*").split()
    (state_before,) = site.sh("ls -d /var/lib/attune.before-*").split()
    assert etc_before.rpartition("-")[2] == state_before.rpartition("-")[2]
    later = [site.sh(f"grep -c Later {folder}/attuned.toml || true") for folder in ("/etc/attune", etc_before)]
    assert later == ["0\n", "1\n"]
    site.until(lambda: site.node()["online"], "The node")
    site.report_on()
    site.sh(f"rm -r {etc_before} {state_before}")
    assert set(site.troubles()) == NO_NTP


def test_a_signing_key_that_is_gone_stops_nobody_else(site: Installed) -> None:
    site.sh(f"mv {SIGNING_KEY} /srv/signing-key; mv /etc/attune/secrets /srv/secrets")
    site.sh("systemctl restart attuned attune-gateway attune-signer", check=False)
    site.wait_active("attuned", "attune-gateway")
    ended = {"Result": "exit-code", "ExecMainStatus": "3", "NRestarts": "0", "ActiveState": "failed"}
    assert site.show("attune-signer", *ended) == ended
    sentence = f"The signing key {SIGNING_KEY} cannot be read"
    assert f"{sentence} (it is not there, or empty): restore it from a backup" in site.said("attune-signer")
    # A signer that does not run costs updates, and nothing of what people see of rooms.
    site.until(lambda: site.node()["online"], "The node")
    site.report_on()
    found = site.troubles()
    assert sentence in found.pop("attune-signer")
    assert "does not answer" in found.pop("signer")
    assert found.pop("files") == "/etc/attune/secrets is missing"
    assert set(found) == NO_NTP
    site.sh(f"mv /srv/signing-key {SIGNING_KEY}; mv /srv/secrets /etc/attune/secrets; systemctl restart attune-signer")
    site.until(lambda: set(site.troubles()) == NO_NTP, "A site that is well")


def test_a_task_that_hangs_has_the_daemon_started_again_at_once(site: Installed) -> None:
    site.machine.write("/srv/hung_commits.py", HANGING.read_bytes())
    drop_in = f"[Service]\nExecStart=\nExecStart={PYTHON} /srv/hung_commits.py --config /etc/attune/attuned.toml\n"
    site.machine.write("/etc/systemd/system/attuned.service.d/hung.conf", drop_in.encode())
    site.sh("systemctl daemon-reload; systemctl restart attuned")
    site.until(lambda: site.node()["online"], "The node")
    site.report_on()
    before = site.main_pid("attuned")
    site.sh("touch /etc/attune/hang")
    site.until(lambda: "The task commit has made no step" in site.said("attuned"), "Word of the task")
    site.until(lambda: site.main_pid("attuned") != before, "The end of the process")
    site.sh("rm /etc/attune/hang")
    site.wait_active("attuned")
    said = site.said("attuned")
    assert "Watchdog request" in said
    assert "Fatal Python error: Aborted" in said
    site.sh("rm -r /etc/systemd/system/attuned.service.d; systemctl daemon-reload; systemctl restart attuned")
    site.until(lambda: site.node()["online"], "The node")
    site.report_on()
    assert site.node()["windows_lost"] == 0
