"""The tables of both files, as numbered migrations. A migration that was released is never changed."""

import sqlite_utils
from sqlite_utils.migrations import Migrations

windows = Migrations("windows")
WINDOWS_VERSION = 8

attune = Migrations("attune")
ATTUNE_VERSION = 14


def _run(database: sqlite_utils.Database, *statements: str) -> None:
    for statement in statements:
        database.conn.execute(statement)


# What was forgotten, in both files so that each restores the other: selection and counts are JSON, through_label is the
# highest number that a label had by then, alerts are numbers of drift events that went (a JSON list), and state says
# whether it has been carried out in this very file.
_AUDIT = (
    "CREATE TABLE audit (id TEXT PRIMARY KEY, utc_ms INTEGER NOT NULL, author TEXT NOT NULL, selection TEXT NOT NULL,"
    " counts TEXT NOT NULL, through_label INTEGER NOT NULL, alerts TEXT NOT NULL, state TEXT NOT NULL) WITHOUT ROWID"
)


@windows(name="1_first_tables")
def _windows_1(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # Committed windows that have not been packed yet, in the order in which they came.
        "CREATE TABLE inbox (id INTEGER PRIMARY KEY, record BLOB NOT NULL)",
        # Short names of nodes for the key of node_hours.
        "CREATE TABLE node_keys (key INTEGER PRIMARY KEY, node TEXT NOT NULL UNIQUE)",
        # Packed windows: id = key << 32 | hours since 1970.
        "CREATE TABLE node_hours (id INTEGER PRIMARY KEY, records BLOB NOT NULL)",
        # What arrived of each boot of a node: every seq up to through, and those of beyond (a JSON list).
        "CREATE TABLE boots (node TEXT NOT NULL, boot INTEGER NOT NULL, through INTEGER NOT NULL, beyond TEXT NOT NULL,"
        " windows INTEGER NOT NULL, lost INTEGER NOT NULL, PRIMARY KEY (node, boot)) WITHOUT ROWID",
        # Where the ticks of a boot meet UTC.
        "CREATE TABLE ties (node TEXT NOT NULL, boot INTEGER NOT NULL, tick_ms INTEGER NOT NULL,"
        " utc_ms INTEGER NOT NULL, PRIMARY KEY (node, boot, tick_ms)) WITHOUT ROWID",
        # What was said of a room, a row a change; never rewritten.
        "CREATE TABLE said (id INTEGER PRIMARY KEY, room TEXT NOT NULL, utc_ms INTEGER NOT NULL,"
        " state INTEGER NOT NULL, probability REAL NOT NULL, since_utc_ms INTEGER NOT NULL)",
        "CREATE INDEX said_room_time ON said (room, utc_ms)",
        # What is known of a room, an hour a row: log-odds a step, and the filter's state after the last of them.
        "CREATE TABLE beliefs (room TEXT NOT NULL, hour INTEGER NOT NULL, known BLOB NOT NULL,"
        " checkpoint TEXT NOT NULL, PRIMARY KEY (room, hour)) WITHOUT ROWID",
    )


@windows(name="2_written_in_order_of_time")
def _windows_2(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # Packed windows: id = hours since 1970 << 40 | part of that hour << 24 | key of the node. What is packed comes
        # to the end of the table and is never written again.
        "CREATE TABLE packed (id INTEGER PRIMARY KEY, records BLOB NOT NULL)",
        "INSERT INTO packed SELECT ((id & 0xffffffff) << 40) | (id >> 32), records FROM node_hours"
        " ORDER BY id & 0xffffffff, id",
        "DROP TABLE node_hours",
        # Each commit changed a page of it for each room that spoke.
        "DROP INDEX said_room_time",
    )


@windows(name="3_days_of_nodes")
def _windows_3(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # Statistics of each node's local days (ISO dates), as JSON, with their stretch of event time.
        "CREATE TABLE node_days (node TEXT NOT NULL, day TEXT NOT NULL, from_utc_ms INTEGER NOT NULL,"
        " to_utc_ms INTEGER NOT NULL, schema TEXT NOT NULL, statistics TEXT NOT NULL,"
        " PRIMARY KEY (node, day)) WITHOUT ROWID",
        # Local days that were looked at, with or without a node's statistics.
        "CREATE TABLE judged_days (day TEXT PRIMARY KEY) WITHOUT ROWID",
    )


@windows(name="4_when_it_was_said")
def _windows_4(database: sqlite_utils.Database) -> None:
    # The daemon's clock when it was said; 0 where that was not written down.
    _run(database, "ALTER TABLE said ADD COLUMN spoken_utc_ms INTEGER NOT NULL DEFAULT 0")


@windows(name="5_audit")
def _windows_5(database: sqlite_utils.Database) -> None:
    _run(database, _AUDIT)


@windows(name="6_sketches_of_quiet_nodes")
def _windows_6(database: sqlite_utils.Database) -> None:
    # What quiet nodes counted, an hour a row: the sketch as the core exports it.
    _run(
        database,
        "CREATE TABLE sketches (node TEXT NOT NULL, to_utc_ms INTEGER NOT NULL, boot INTEGER NOT NULL,"
        " number INTEGER NOT NULL, from_utc_ms INTEGER NOT NULL, schema TEXT NOT NULL, windows INTEGER NOT NULL,"
        " counts BLOB NOT NULL, PRIMARY KEY (node, to_utc_ms, boot, number)) WITHOUT ROWID",
    )


@windows(name="7_summaries_of_reports")
def _windows_7(database: sqlite_utils.Database) -> None:
    # What is left of reports that nodes could not keep: how many by class, a byte each, and means of their features.
    _run(
        database,
        "CREATE TABLE summaries (node TEXT NOT NULL, to_utc_ms INTEGER NOT NULL, boot INTEGER NOT NULL,"
        " number INTEGER NOT NULL, from_utc_ms INTEGER NOT NULL, schema TEXT NOT NULL, reports INTEGER NOT NULL,"
        " class_reports BLOB NOT NULL, features BLOB NOT NULL, PRIMARY KEY (node, to_utc_ms, boot, number))"
        " WITHOUT ROWID",
    )


@windows(name="8_hours_awake")
def _windows_8(database: sqlite_utils.Database) -> None:
    # The newest hours since 1970, by the daemon's clock, in which it ran: retention believes no clock but these.
    _run(database, "CREATE TABLE awake (hour INTEGER PRIMARY KEY)")


@attune(name="1_first_tables")
def _attune_1(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # The last hello of each node, as JSON.
        "CREATE TABLE nodes (node TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE labels (number INTEGER PRIMARY KEY, room TEXT NOT NULL, class_name TEXT NOT NULL,"
        " from_utc_ms INTEGER NOT NULL, to_utc_ms INTEGER NOT NULL, weight REAL NOT NULL, source TEXT NOT NULL,"
        " author TEXT NOT NULL, told_utc_ms INTEGER NOT NULL, superseded_by INTEGER NOT NULL DEFAULT 0)",
        "CREATE INDEX labels_room_time ON labels (room, from_utc_ms)",
    )


@attune(name="2_room_models")
def _attune_2(database: sqlite_utils.Database) -> None:
    # What a room has learned from its labels, as JSON: computed from labels and windows, which may be gone by then.
    _run(database, "CREATE TABLE room_models (room TEXT PRIMARY KEY, model TEXT NOT NULL) WITHOUT ROWID")


@attune(name="3_labels_that_were_taken_back")
def _attune_3(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # 0: never. A row stays when its label is taken back, and counts for nothing from then on.
        "ALTER TABLE labels ADD COLUMN withdrawn_utc_ms INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE labels ADD COLUMN withdrawn_by TEXT NOT NULL DEFAULT ''",
    )


@attune(name="4_drift_events")
def _attune_4(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # A node's (or, with node '', the site's) drift; sensors and moved are JSON.
        "CREATE TABLE drift_events (number INTEGER PRIMARY KEY, node TEXT NOT NULL, since TEXT NOT NULL,"
        " cause TEXT NOT NULL, sensors TEXT NOT NULL, moved TEXT NOT NULL, score REAL NOT NULL, state TEXT NOT NULL,"
        " normal_days INTEGER NOT NULL, accepted INTEGER NOT NULL, done TEXT NOT NULL, raised_utc_ms INTEGER NOT NULL,"
        " changed_utc_ms INTEGER NOT NULL)",
        "CREATE TABLE drift_mutes (node TEXT PRIMARY KEY, reason TEXT NOT NULL, author TEXT NOT NULL,"
        " told_utc_ms INTEGER NOT NULL) WITHOUT ROWID",
    )


@attune(name="5_accuracy")
def _attune_5(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # What a room said on a day of UTC under a release, against its labels: labelled seconds by truth and by what
        # was said, and for the calibration error the seconds right less those expected, a number a bin (a JSON list).
        # labels: fingerprint of the labels of the day.
        "CREATE TABLE accuracy_days (room TEXT NOT NULL, day INTEGER NOT NULL, release TEXT NOT NULL,"
        " labels TEXT NOT NULL, free_said_free_s INTEGER NOT NULL, free_said_occupied_s INTEGER NOT NULL,"
        " free_said_unknown_s INTEGER NOT NULL, occupied_said_free_s INTEGER NOT NULL,"
        " occupied_said_occupied_s INTEGER NOT NULL, occupied_said_unknown_s INTEGER NOT NULL, gaps TEXT NOT NULL,"
        " PRIMARY KEY (room, day, release)) WITHOUT ROWID",
        # Which release a room's nodes run since when; the first one of a room counts for all time before, too.
        "CREATE TABLE room_releases (room TEXT NOT NULL, since_utc_ms INTEGER NOT NULL, release TEXT NOT NULL,"
        " PRIMARY KEY (room, since_utc_ms)) WITHOUT ROWID",
    )


@attune(name="6_releases")
def _attune_6(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # What rooms' nodes are to run. body: the canonical bytes that id is the digest of; running: what a node that
        # runs it says in its hello; report: what the gate found, as JSON.
        "CREATE TABLE releases (id TEXT PRIMARY KEY, room TEXT NOT NULL, node TEXT NOT NULL,"
        " made_utc_ms INTEGER NOT NULL, state TEXT NOT NULL, verdict TEXT NOT NULL, running TEXT NOT NULL,"
        " through_label INTEGER NOT NULL, trigger TEXT NOT NULL, report TEXT NOT NULL, body BLOB NOT NULL)"
        " WITHOUT ROWID",
        "CREATE INDEX releases_node ON releases (node, made_utc_ms)",
    )


@attune(name="7_forgetting")
def _attune_7(database: sqlite_utils.Database) -> None:
    _run(
        database,
        _AUDIT,
        # Labels that a node has to take out of its log, until it says that it has.
        "CREATE TABLE unlearning (node TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (node, number))"
        " WITHOUT ROWID",
        # The highest number that a label has had: those of labels that were forgotten are not given again.
        "CREATE TABLE label_numbers (through INTEGER NOT NULL)",
        "INSERT INTO label_numbers SELECT coalesce(max(number), 0) FROM labels",
        # Names of blocks that were forgotten, each with when (a JSON list of pairs).
        "ALTER TABLE releases ADD COLUMN forgotten TEXT NOT NULL DEFAULT '[]'",
    )


@attune(name="8_presses_of_buttons")
def _attune_8(database: sqlite_utils.Database) -> None:
    # Which press of a node's button made which label: a node sends a press until it is acknowledged.
    _run(
        database,
        "CREATE TABLE presses (node TEXT NOT NULL, boot INTEGER NOT NULL, press INTEGER NOT NULL,"
        " label INTEGER NOT NULL, PRIMARY KEY (node, boot, press)) WITHOUT ROWID",
    )


@attune(name="9_releases_on_a_persons_word")
def _attune_9(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # Who let a release go out for which too little evidence speaks, and when.
        "ALTER TABLE releases ADD COLUMN approved_by TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE releases ADD COLUMN approved_utc_ms INTEGER NOT NULL DEFAULT 0",
    )


@attune(name="10_keys_of_nodes")
def _attune_10(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # daemon_key: the public key of ours that the node used last. room is empty where the configuration names it.
        # stands_for: nodes whose place it took.
        "CREATE TABLE trusted_nodes (node TEXT PRIMARY KEY, public_key BLOB NOT NULL, daemon_key BLOB NOT NULL,"
        " room TEXT NOT NULL, name TEXT NOT NULL, since_utc_ms INTEGER NOT NULL, stands_for TEXT NOT NULL)"
        " WITHOUT ROWID",
        # Secrets of codes, until their nodes have come.
        "CREATE TABLE node_codes (hint TEXT PRIMARY KEY, psk BLOB NOT NULL, room TEXT NOT NULL, name TEXT NOT NULL,"
        " take_over INTEGER NOT NULL, told_utc_ms INTEGER NOT NULL) WITHOUT ROWID",
    )


@attune(name="11_deliveries")
def _attune_11(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # Releases on their way to nodes, the newest of each node. before, base: digests (hex) of what the node ran when
        # it was wanted, and when its envelope was signed, by the key of that number. An envelope stays until its end.
        "CREATE TABLE deliveries (node TEXT PRIMARY KEY, target TEXT NOT NULL, sequence INTEGER NOT NULL,"
        " stage TEXT NOT NULL, reason TEXT NOT NULL, windows INTEGER NOT NULL, differing INTEGER NOT NULL,"
        " since_utc_ms INTEGER NOT NULL, before TEXT NOT NULL, envelope BLOB NOT NULL, base TEXT NOT NULL,"
        " signing_key INTEGER NOT NULL, signed_utc_ms INTEGER NOT NULL) WITHOUT ROWID",
        # The highest sequence number that was ever given to an update for a node.
        "CREATE TABLE update_numbers (node TEXT PRIMARY KEY, highest INTEGER NOT NULL) WITHOUT ROWID",
    )


@attune(name="12_rollouts")
def _attune_12(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # plan and position are JSON; author is empty where the daemon began by itself, trigger says why.
        "CREATE TABLE rollouts (number INTEGER PRIMARY KEY, state TEXT NOT NULL, author TEXT NOT NULL,"
        " trigger TEXT NOT NULL, plan TEXT NOT NULL, position TEXT NOT NULL)",
        # A row a node, in order of place. replaced: it runs something newer; body: the rest of it, as JSON.
        "CREATE TABLE rollout_pairs (rollout INTEGER NOT NULL, node TEXT NOT NULL, place INTEGER NOT NULL,"
        " target TEXT NOT NULL, step TEXT NOT NULL, replaced INTEGER NOT NULL, body TEXT NOT NULL,"
        " PRIMARY KEY (rollout, node)) WITHOUT ROWID",
        # Who did what to a rollout, and why; an author that is empty is the daemon.
        "CREATE TABLE rollout_acts (number INTEGER PRIMARY KEY, rollout INTEGER NOT NULL, utc_ms INTEGER NOT NULL,"
        " author TEXT NOT NULL, what TEXT NOT NULL, reason TEXT NOT NULL)",
    )


@attune(name="13_gateways")
def _attune_13(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # Gateways with certificates. enrolment stands in each of its certificates; expires_utc_ms is the end of the one
        # that it used last; revoked_utc_ms is 0 if it was not revoked.
        "CREATE TABLE gateways (name TEXT PRIMARY KEY, enrolment TEXT NOT NULL, since_utc_ms INTEGER NOT NULL,"
        " expires_utc_ms INTEGER NOT NULL, heard_utc_ms INTEGER NOT NULL, revoked_utc_ms INTEGER NOT NULL)"
        " WITHOUT ROWID",
        # SHA-256 of tokens, and of the key that used one (empty: none has).
        "CREATE TABLE gateway_invitations (token BLOB PRIMARY KEY, name TEXT NOT NULL, until_utc_ms INTEGER NOT NULL,"
        " used_by BLOB NOT NULL) WITHOUT ROWID",
    )


@attune(name="14_what_nodes_advertise")
def _attune_14(database: sqlite_utils.Database) -> None:
    _run(
        database,
        # Keys of what nodes advertise over Bluetooth, from their codes; empty for nodes and codes from before.
        "ALTER TABLE trusted_nodes ADD COLUMN advertising BLOB NOT NULL DEFAULT x''",
        "ALTER TABLE node_codes ADD COLUMN advertising BLOB NOT NULL DEFAULT x''",
    )
