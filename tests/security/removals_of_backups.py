"""Checks of backups, restores, and of what must stay gone."""

from removal import Removal

BACKUPS = [
    Removal(
        "nothing of a backup can be read without its passphrase",
        "daemon/attuned/backup/sealing.py",
        "            pyrage.encrypt_io(pipe, guarded, [recipient])\n",
        "            guarded.write(gzip.decompress(pipe.read()))\n",
        "tests/unit/test_backup.py::test_nothing_in_it_can_be_read",
    ),
    Removal(
        "a passphrase that could be guessed makes no key",
        "daemon/attuned/backup_key.py",
        "if len(words) < PASSPHRASE_LENGTH or len(set(words)) < DIFFERENT_CHARACTERS:",
        "if len(words) > 2 * PASSPHRASE_LIMIT:",
        "tests/unit/test_backup_key.py::test_what_would_be_guessed_is_refused",
    ),
    Removal(
        "another passphrase opens nothing",
        "daemon/attuned/backup_key.py",
        "if str(private.to_public()) != self.recipient:",
        "if not passphrase:",
        "tests/unit/test_backup_key.py::test_only_the_passphrase_opens",
    ),
    Removal(
        "a backup does not decide how much memory opening it takes",
        "daemon/attuned/backup_key.py",
        "if not N <= key.n <= _N_LIMIT or key.n & (key.n - 1):",
        "if key.n < 0:",
        "tests/unit/test_backup_key.py::test_a_file_that_is_no_key_is_refused",
    ),
    Removal(
        "a backup that was changed is refused, and nothing changes",
        "daemon/attuned/backup/sealing.py",
        "        if self.manifest.header != header:\n",
        "        if self.manifest.header is header:\n",
        "tests/unit/test_backup_hostile.py::test_a_bit_anywhere",
    ),
    Removal(
        "a backup cannot name a file outside of what is restored",
        "daemon/attuned/backup/places.py",
        "    return _NAMES.fullmatch(name) is not None\n",
        "    return bool(name)\n",
        "tests/unit/test_backup_hostile.py::test_manifests_that_no_backup_has",
    ),
    Removal(
        "a backup brings no program that runs as somebody else",
        "daemon/attuned/backup/manifest.py",
        "    if mode & ~MODE_BITS:",
        "    if mode < 0:",
        "tests/unit/test_backup_hostile.py::test_manifests_that_no_backup_has",
    ),
    Removal(
        "a restore that ends at any step leaves the old state or the new one",
        "daemon/attuned/backup/swapping.py",
        "    library = ctypes.CDLL(None, use_errno=True)\n",
        "    first.rename(first.with_name('between'))\n    second.rename(first)\n"
        "    first.with_name('between').rename(second)\n    return\n"
        "    library = ctypes.CDLL(None, use_errno=True)\n",
        "tests/unit/test_backup_hostile.py::test_a_restore_that_dies_at_any_step",
    ),
    Removal(
        "what was forgotten after a backup is forgotten again",
        "daemon/attuned/gone.py",
        "        write_entry(connection, row.entry)\n",
        "        pass\n",
        "tests/unit/test_gone.py::test_what_was_forgotten_goes_again_before_anything_is_read",
    ),
    Removal(
        "a gateway that was revoked after a backup is not let in again",
        "daemon/attuned/gone.py",
        "    for gateway in said.gateways:\n",
        "    for gateway in said.gateways[:0]:\n",
        "tests/unit/test_gone.py::test_a_revoked_gateway_is_not_let_in_again",
    ),
    Removal(
        "a node that was removed after a backup is not trusted again",
        "daemon/attuned/gone.py",
        "        _remove(connection, node)\n",
        "        pass\n",
        "tests/unit/test_gone.py::test_a_removed_node_is_not_trusted_again",
    ),
    Removal(
        "what is to go is written down first",
        "daemon/attuned/learning/forgetting.py",
        "        await self._gone.add(forgotten=[entry])\n",
        "",
        "tests/unit/test_gone.py::test_it_is_written_down_before_anything_goes",
    ),
    Removal(
        "an invitation that was used after a backup is not good again",
        "daemon/attuned/backup/numbers.py",
        '        database.execute("DELETE FROM gateway_invitations")\n',
        "",
        "tests/unit/test_backup.py::test_invitations_count_no_more",
    ),
    Removal(
        "numbers that were signed after a backup are not signed again",
        "daemon/attuned/updates/numbers.py",
        "        if last[0] >= both.get(audience, last)[0]:\n",
        "        if audience not in both:\n",
        "tests/unit/test_backup.py::test_numbers_that_were_signed_since_stay",
    ),
]
