"""Checks of what the daemon says of its site. Pure: its replies in, findings out."""

from collections.abc import Iterator, Sequence

from attune_proto.v1 import admin_pb2, gateways_pb2, health_pb2

from attuned.doctor.finding import Finding, ok, problem, warning

_DAY_MS = 86_400_000

# Certificates are good for 90 days, and gateways ask for the next one from the 60th on.
LATE_MS = 20 * _DAY_MS

# Below this a Bluetooth link loses frames in bursts.
WEAK_DBM = -90

# Two alkaline cells, or a lithium coin cell under load, that have little left.
LOW_MV = 2400

# Nodes that are named before the rest is only counted.
_NAMED = 4


def check_broker(status: admin_pb2.SiteStatus) -> Finding:
    """Rooms are published."""
    if not status.broker:
        return ok("broker", "connected")
    if "No broker is configured" in status.broker:
        return warning("broker", "none is configured, so nothing is published", "`sudo attune setup` asks for one.")
    return problem("broker", *_parts(status.broker, "See `attune status` in a minute."))


def check_store(status: admin_pb2.SiteStatus, aside: Sequence[str] = ()) -> Finding:
    """What nodes report gets onto the disk, and what lies there is whole. Of files in `aside` somebody else speaks."""
    advice = "See `sudo journalctl -u attuned`."
    if status.store:
        return problem("store", *_parts(status.store, advice))
    if status.windows_check and not any(path in status.windows_check for path in aside):
        level = warning if "set aside:" in status.windows_check else problem
        return level("store", *_parts(status.windows_check, advice))
    return ok("store", f"well, {status.windows:,} windows kept")


def check_signer(status: admin_pb2.SiteStatus) -> Finding:
    """Nodes can get updates; without, they go on with what they have."""
    if not status.updates:
        return ok("signer", "signs updates")
    return warning("signer", *_parts(status.updates, "See `systemctl status attune-signer`."))


def check_rooms(status: admin_pb2.SiteStatus) -> Finding:
    """There is something to know."""
    if not status.rooms:
        return warning("rooms", "none yet", "`sudo attune setup` asks for them.")
    return ok("rooms", f"{status.rooms:,}, {status.rooms_with_state:,} with a state")


def check_jump(health: health_pb2.SiteHealth) -> Finding:
    """The clock runs evenly."""
    if not health.clock_jump_ms:
        return ok("clock jumps", "none since the daemon started")
    way = "forward" if health.clock_jump_ms > 0 else "back"
    found = f"the clock was set {way} by {abs(health.clock_jump_ms) / 1000:,.0f} s while the daemon ran"
    return warning("clock jumps", found, "Windows and labels of that time may be displaced: see `timedatectl`.")


def check_gateways(rows: Sequence[gateways_pb2.GatewayRow], now_utc_ms: int) -> Iterator[Finding]:
    """Gateways are there, and those that are enrolled stay so."""
    there = [row for row in rows if not row.revoked_utc_ms]
    connected = [row for row in there if row.connected]
    if connected:
        yield ok("gateways", f"attached: {_names([row.name for row in connected])}")
    else:
        yield problem("gateways", "none is attached", "See `systemctl status attune-gateway`, on its machine.")
    if away := [row.name for row in there if not row.connected and row.since_utc_ms]:
        yield warning("gateways", f"away: {_names(away)}", "See whether they have power and network.")
    enrolled = [row for row in there if row.expires_utc_ms]
    ended = [row.name for row in enrolled if row.expires_utc_ms <= now_utc_ms]
    late = [row.name for row in enrolled if now_utc_ms < row.expires_utc_ms <= now_utc_ms + LATE_MS]
    if ended:
        yield problem("certificates", f"ended: {_names(ended)}", "`attune gateway invite NAME` enrolls one anew.")
    if late:
        found = f"end within 20 days: {_names(late)}"
        yield warning("certificates", found, "See whether these gateways reach the daemon, which renews them.")
    if not ended and not late:
        found = f"{len(enrolled)} of gateways, all good for 20 days or more" if enrolled else "no gateway needs one"
        yield ok("certificates", found)


def check_nodes(nodes: Sequence[admin_pb2.Node]) -> Iterator[Finding]:
    """Nodes are heard, loudly enough, and have power. A line for each trouble, with the nodes that have it."""
    if not nodes:
        yield warning("nodes", "none yet", "Bring one: `attune node add CODE --room ROOM`.")
        return
    silent = [node.node for node in nodes if not node.online]
    if silent:
        level = problem if len(silent) == len(nodes) else warning
        found = f"{len(silent):,} of {len(nodes):,} silent: {_names(silent)}"
        yield level("nodes", found, "See whether they have power, and a gateway in reach: `attune nodes`.")
    else:
        yield ok("nodes", f"{len(nodes):,}, all online")
    if weak := [node.node for node in nodes if node.rssi_dbm and node.rssi_dbm < WEAK_DBM]:
        yield warning("signal", f"weak (below {WEAK_DBM} dBm): {_names(weak)}", "Bring a gateway nearer to them.")
    if low := [node.node for node in nodes if 0 < node.battery_mv < LOW_MV]:
        yield warning("batteries", f"low (below {LOW_MV / 1000:.1f} V): {_names(low)}", "Change them soon.")


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _parts(sentence: str, otherwise: str) -> tuple[str, str]:
    """What the daemon has found, and what it advises behind the last colon."""
    found, _, advice = sentence.rstrip(".").rpartition(": ")
    return (found, advice[:1].upper() + advice[1:] + ".") if found else (advice, otherwise)
