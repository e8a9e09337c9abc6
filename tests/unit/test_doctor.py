"""What the doctor finds, check by check, of facts that are given."""

from dataclasses import replace
from pathlib import Path

import pytest
from attune_proto.v1 import admin_pb2, gateways_pb2, health_pb2
from attuned.doctor import machine, site
from attuned.doctor.finding import Finding, Level
from attuned.doctor.machine import Disk, Place, Unit

GIB = 1 << 30
NOW = 1_700_000_000_000
DAY_MS = 86_400_000


def levels(findings: object) -> list[tuple[str, str]]:
    return [(finding.check, str(finding.level)) for finding in findings]  # type: ignore[attr-defined]


def says_what_to_do(finding: Finding) -> bool:
    """All is well, or there is advice, a sentence."""
    return finding.level is Level.OK or finding.advice.endswith(".")


RUNS = Unit("attuned", load="loaded", enabled=True, active="active", result="success", restarts=0, words="up")


@pytest.mark.parametrize(
    ("changed", "needed", "level", "found"),
    [
        ({}, True, "ok", "runs"),
        ({"restarts": 5}, True, "warning", "runs, and was restarted 5 times; its last words: up"),
        ({"active": "failed", "result": "exit-code"}, True, "problem", "has failed (exit-code): up"),
        ({"active": "failed", "result": "signal", "words": ""}, True, "problem", "has failed (signal): it has said"),
        ({"active": "failed", "result": "x", "words": None}, True, "problem", "its journal is not yours to read"),
        # Between two starts systemd shows it as activating, with the result of the last one.
        ({"active": "activating", "result": "exit-code"}, True, "problem", "has failed (exit-code): up"),
        ({"active": "activating"}, True, "warning", "is starting: up"),
        ({"active": "inactive"}, True, "problem", "does not run"),
        ({"active": "inactive"}, False, "warning", "does not run"),
        ({"active": "inactive", "enabled": False}, False, "ok", "is switched off"),
        ({"load": "not-found", "active": "inactive"}, True, "problem", "is not installed"),
        ({"load": "not-found", "active": "inactive"}, False, "ok", "is not here"),
        ({"load": "masked", "active": "inactive"}, True, "problem", "is masked, so that nothing can start it"),
        # One that runs does not come back.
        ({"load": "masked"}, False, "warning", "is masked, so that nothing can start it"),
        ({"load": "bad-setting", "active": "inactive"}, True, "problem", "cannot be read by systemd (bad-setting)"),
        ({"load": "error", "active": "inactive"}, False, "warning", "cannot be read by systemd (error)"),
        ({"load": ""}, True, "problem", "cannot be read by systemd (it does not answer)"),
    ],
)
def test_units(changed: dict[str, object], needed: bool, level: str, found: str) -> None:
    finding = machine.check_unit(replace(RUNS, **changed), needed=needed)  # type: ignore[arg-type]
    assert str(finding.level) == level
    assert found in finding.found
    assert says_what_to_do(finding)


def test_timers() -> None:
    timer = replace(RUNS, name="attune-backup.timer")
    task = replace(RUNS, name="attune-backup.service", active="inactive")
    assert machine.check_timer(timer, task).level is Level.OK
    assert machine.check_timer(replace(timer, active="inactive"), task).level is Level.WARNING
    assert machine.check_timer(replace(timer, load="not-found"), task).level is Level.WARNING
    for finding in (
        machine.check_timer(replace(timer, load="masked"), task),
        machine.check_timer(replace(timer, active="inactive"), replace(task, load="masked")),
    ):
        assert (finding.level, finding.found) == (Level.WARNING, "is masked, so that nothing can start it")
        assert f"`sudo systemctl unmask {finding.check}`" in finding.advice
    for words, said in (
        ("attune: The disk is full.", "attune: The disk is full"),
        ("", "said nothing"),
        (None, "sudo"),
    ):
        failed = machine.check_timer(timer, replace(task, active="failed", result="exit-code", words=words))
        assert (failed.check, failed.level) == ("attune-backup.service", Level.WARNING)
        assert "failed the last time (exit-code)" in failed.found
        assert said in failed.found
        assert says_what_to_do(failed)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("", ""),
        ("Site hq: rooms 1, nodes 0 of 1 online, gateways 0.", ""),
        # The daemon itself is asked what it lacks.
        ("Site hq: rooms 1, nodes 0 of 1 online, gateways 0. The store /s cannot be written.", ""),
        ("Gateway a.b: links 0, attached to the daemon at unix:/run/attune/gateway.sock.", ""),
        (
            "Gateway a.b: links 0, without the daemon at tls://a:7. Serial line /dev/x cannot be opened: plug it in.",
            "Serial line /dev/x cannot be opened: plug it in",
        ),
        ("The store does not answer.", "The store does not answer"),
    ],
)
def test_what_a_running_service_lacks(status: str, found: str) -> None:
    finding = machine.check_unit(replace(RUNS, status=status))
    assert (finding.level, finding.found) == ((Level.WARNING, found) if found else (Level.OK, "runs"))
    assert says_what_to_do(finding)


@pytest.mark.parametrize(("synchronised", "level"), [(True, "ok"), (False, "warning"), (None, "warning")])
def test_the_clock(synchronised: bool | None, level: str) -> None:
    finding = machine.check_clock(synchronised)
    assert finding.level == level
    assert says_what_to_do(finding)


@pytest.mark.parametrize(
    ("free", "inodes_free", "inodes", "level", "found"),
    [
        (5 * GIB, 10**6, 10**7, "ok", "5.0 GB free of 32.0 GB for /s"),
        (5 * GIB, 0, 0, "ok", "5.0 GB free"),  # btrfs has no limit, and says 0
        (GIB - 1, 10**6, 10**7, "warning", "1024 MB free"),
        (99 << 20, 10**6, 10**7, "problem", "99 MB free"),
        (5 * GIB, 9_999, 10**7, "warning", "9,999 inodes left"),
        (5 * GIB, 499, 10**7, "problem", "499 inodes left"),
        (0, 0, 10**7, "problem", "0 MB free"),
    ],
)
def test_the_disk(free: int, inodes_free: int, inodes: int, level: str, found: str) -> None:
    finding = machine.check_disk(Disk("/s", free, 32 * GIB, inodes_free, inodes))
    assert (str(finding.level), finding.found[: len(found)]) == (level, found)
    assert says_what_to_do(finding)


def test_a_store_that_is_not_there() -> None:
    assert machine.check_disk(None).level is Level.PROBLEM


SECRETS = Place("/etc/attune/secrets", "root", 0o700, "root", 0o700)


@pytest.mark.parametrize(
    ("changed", "found", "advice"),
    [
        (
            {"owner": None},
            "/etc/attune/secrets is missing",
            "`sudo install -d -o root -g root -m 0700 /etc/attune/secrets`",
        ),
        (
            {"owner": "ann"},
            "/etc/attune/secrets belongs to ann and not to root",
            "`sudo chown -R root: /etc/attune/secrets`",
        ),
        ({"mode": 0o755}, "/etc/attune/secrets has mode 0755, which lets others read it", "chmod 0700"),
        ({"mode": 0o770}, "/etc/attune/secrets has mode 0770, which lets others write it", "chmod 0700"),
    ],
)
def test_files(changed: dict[str, object], found: str, advice: str) -> None:
    (finding,) = machine.check_places([SECRETS, replace(SECRETS, **changed)])  # type: ignore[arg-type]
    assert (finding.level, finding.found) == (Level.PROBLEM, found)
    assert advice in finding.advice


def test_files_that_are_well_are_one_line() -> None:
    stricter = replace(SECRETS, mode=0o500)
    absent = replace(SECRETS, owner=None, needed=False)
    assert levels(machine.check_places([SECRETS, stricter, absent])) == [("files", "ok")]


def test_a_configuration() -> None:
    assert machine.check_configuration("attuned.toml", "", "attuned").level is Level.OK
    # A setup would refuse a file that it cannot read, and writes one that is not there.
    none = machine.check_configuration("gateway.toml", None, "attune-gateway")
    assert (none.found, none.advice) == ("is not there", "`sudo attune setup` writes it.")
    said = "x.toml: key site is missing.\nx.toml: key b is unknown."
    finding = machine.check_configuration("attuned.toml", said, "attuned")
    assert finding.advice == "Correct the file, then `sudo systemctl restart attuned`."
    assert finding.found == "x.toml: key site is missing. x.toml: key b is unknown"
    assert finding.level is Level.PROBLEM
    changed = machine.not_taken_up(Path("/etc/attune/gateway.toml"), "attune-gateway")
    assert (changed.level, changed.found, changed.advice) == (
        Level.WARNING,
        "/etc/attune/gateway.toml changed after attune-gateway started",
        "`sudo systemctl restart attune-gateway` takes it up.",
    )


@pytest.mark.parametrize(
    ("key", "age_s", "readable", "level", "found"),
    [
        (True, 3600.0 * 5, True, "ok", "the newest is 5 h old"),
        (True, 60.0, True, "ok", "the newest is 1 min old"),
        (True, 86400 * 3.0, True, "warning", "the newest is 3 days old"),
        (True, 86400 * 9.0, True, "problem", "the newest is 9 days old"),
        (True, None, True, "warning", "there is none yet"),
        (
            True,
            -86400 * 365.0,
            True,
            "warning",
            "all are dated later than now, by 365 days at least: the clock was wrong",
        ),
        (True, None, False, "warning", "its folder is not yours to read"),
        (False, None, True, "warning", "none are made"),
    ],
)
def test_backups(key: bool, age_s: float | None, readable: bool, level: str, found: str) -> None:
    finding = machine.check_backup(key=key, age_s=age_s, readable=readable)
    assert (str(finding.level), finding.found) == (level, found)
    assert says_what_to_do(finding)


def test_damaged_files_that_were_kept() -> None:
    assert list(machine.check_set_aside([])) == []
    windows, *lists = (f"/s/{name}" for name in ("windows-damaged-1.db", "gone.damaged", "gone-2.damaged"))
    (finding,) = machine.check_set_aside([windows])
    assert (finding.level, finding.advice) == (Level.WARNING, f"Once nobody needs them: `sudo rm {windows}`.")
    # What must stay gone is no history that one may lose: another copy has to take its place first.
    first, second = machine.check_set_aside([*lists, windows])
    assert first == finding
    assert second.level is Level.WARNING
    assert second.found.startswith(
        "/s/gone.damaged and /s/gone-2.damaged were damaged and kept aside: what must stay gone"
    )
    assert "history" not in second.found
    assert "put another copy in the place of /s/gone.json" in second.advice
    assert second.advice.endswith("Then `sudo rm /s/gone.damaged /s/gone-2.damaged`.")


BROKEN = "The broker at 127.0.0.1:1883 cannot be reached ([Errno 111] x): nothing listens; start a broker here."


@pytest.mark.parametrize(
    ("said", "level", "found"),
    [
        ("", "ok", "connected"),
        ("No broker is configured: add a table [mqtt] to publish.", "warning", "none is configured"),
        (BROKEN, "problem", "The broker at 127.0.0.1:1883 cannot be reached ([Errno 111] x)"),
        ("The broker has not been reached yet.", "problem", "The broker has not been reached yet"),
    ],
)
def test_the_broker(said: str, level: str, found: str) -> None:
    finding = site.check_broker(admin_pb2.SiteStatus(broker=said))
    assert str(finding.level) == level
    assert finding.found.startswith(found)
    assert says_what_to_do(finding)


def test_what_the_status_says() -> None:
    well = admin_pb2.SiteStatus(windows=1234, rooms=2, rooms_with_state=1)
    assert site.check_store(well).found == "well, 1,234 windows kept"
    assert site.check_signer(well).level is Level.OK
    assert site.check_rooms(well).level is Level.OK
    ill = admin_pb2.SiteStatus(
        store="The store /s cannot be written (full): make room on the disk.",
        updates="The signer does not answer.",
    )
    store = site.check_store(ill)
    assert (store.level, store.found, store.advice) == (
        Level.PROBLEM,
        "The store /s cannot be written (full)",
        "Make room on the disk.",
    )
    for finding in (site.check_signer(ill), site.check_rooms(ill)):
        assert finding.level is Level.WARNING
        assert finding.found
        assert says_what_to_do(finding)


def test_what_the_check_of_the_windows_has_found() -> None:
    damaged = "The store /s/windows.db is damaged (row 3 missing): restart the daemon, which sets the file aside."
    aside = "windows-damaged-1.db was damaged and set aside: history is in it alone; remove /s/windows-damaged-1.db."
    finding = site.check_store(admin_pb2.SiteStatus(windows_check=damaged))
    assert (finding.level, finding.found) == (Level.PROBLEM, "The store /s/windows.db is damaged (row 3 missing)")
    assert finding.advice == "Restart the daemon, which sets the file aside."
    status = admin_pb2.SiteStatus(windows_check=aside)
    assert site.check_store(status).level is Level.WARNING
    assert says_what_to_do(site.check_store(status))
    # Who may read the folder is told of it once.
    assert site.check_store(status, ["/s/gone.damaged", "/s/windows-damaged-1.db"]).level is Level.OK
    status.store = "The store /s cannot be written (full): make room on the disk."
    assert site.check_store(status).found == "The store /s cannot be written (full)"


def test_jumps_of_the_clock() -> None:
    assert site.check_jump(health_pb2.SiteHealth()).level is Level.OK
    back = site.check_jump(health_pb2.SiteHealth(clock_jump_ms=-3_600_000))
    assert (back.level, back.found) == (Level.WARNING, "the clock was set back by 3,600 s while the daemon ran")


def gateway(name: str, days: float = 60, **more: object) -> gateways_pb2.GatewayRow:
    values = {"connected": True, "since_utc_ms": NOW, "expires_utc_ms": int(NOW + days * DAY_MS)} | more
    return gateways_pb2.GatewayRow(name=name, **values)  # type: ignore[arg-type]


def test_gateways_and_their_certificates() -> None:
    local = gateways_pb2.GatewayRow(name="here", local=True, connected=True)
    assert levels(site.check_gateways([local], NOW)) == [("gateways", "ok"), ("certificates", "ok")]
    assert levels(site.check_gateways([], NOW)) == [("gateways", "problem"), ("certificates", "ok")]
    revoked = gateway("old", -1, revoked_utc_ms=NOW, connected=False)
    assert levels(site.check_gateways([local, revoked], NOW)) == [("gateways", "ok"), ("certificates", "ok")]
    rows = [local, gateway("north", connected=False), gateway("east", 19), gateway("west", 0, connected=False)]
    found = list(site.check_gateways(rows, NOW))
    assert levels(found) == [
        ("gateways", "ok"),
        ("gateways", "warning"),
        ("certificates", "problem"),
        ("certificates", "warning"),
    ]
    assert [finding.found for finding in found[1:]] == ["away: north, west", "ended: west", "end within 20 days: east"]
    assert all(map(says_what_to_do, found))


def test_nodes() -> None:
    assert levels(site.check_nodes([])) == [("nodes", "warning")]
    well = [admin_pb2.Node(node=f"{i}", online=True, rssi_dbm=-80, battery_mv=3000) for i in range(7)]
    assert levels(site.check_nodes(well)) == [("nodes", "ok")]
    silent = [admin_pb2.Node(node=f"s{i}") for i in range(6)]
    found = list(site.check_nodes([*well, *silent]))
    assert levels(found) == [("nodes", "warning")]
    assert found[0].found == "6 of 13 silent: s0, s1, s2, s3 and 2 more"
    assert levels(site.check_nodes(silent)) == [("nodes", "problem")]
    ill = [admin_pb2.Node(node="a", online=True, rssi_dbm=-91), admin_pb2.Node(node="b", online=True, battery_mv=2399)]
    assert levels(site.check_nodes(ill)) == [("nodes", "ok"), ("signal", "warning"), ("batteries", "warning")]
