"""Checks of updates, at the node and in the daemon."""

from removal import C_TESTS, CORE, Removal

UPDATES = [
    Removal(
        "an envelope of an impossible size is refused",
        f"{CORE}/update/envelope.c",
        "size <= ATTUNE_ENVELOPE_AROUND || size > ATTUNE_MAX_ENVELOPE",
        "size <= ATTUNE_ENVELOPE_AROUND",
        f"{C_TESTS}/test_update.c::every_length_is_looked_at_first",
    ),
    Removal(
        "an envelope has to be signed",
        f"{CORE}/update/envelope.c",
        "(cohort && !own->in_cohort) || !is_signed(own, envelope, size)",
        "cohort && !own->in_cohort && !is_signed(own, envelope, size)",
        f"{C_TESTS}/test_update.c::every_bit_counts",
    ),
    Removal(
        "an envelope is for one audience",
        f"{CORE}/update/envelope.c",
        "    const attune_part parts[] = {\n        {domain, sizeof domain},",
        """    static uint8_t first[ATTUNE_AUDIENCE];
    static bool seen;
    if (!seen) {
        memcpy(first, audience, sizeof first);
        seen = true;
    }
    audience = first;
    const attune_part parts[] = {
        {domain, sizeof domain},""",
        f"{C_TESTS}/test_update.c::what_the_node_knows_is_signed",
    ),
    Removal(
        "an envelope builds on one release",
        f"{CORE}/update/envelope.c",
        "    const attune_part parts[] = {\n        {domain, sizeof domain},",
        """    static attune_update_own first;
    static bool seen;
    if (!seen) {
        first = *own;
        seen = true;
    }
    attune_update_own changed = *own;
    memcpy(changed.base, first.base, sizeof changed.base);
    own = &changed;
    const attune_part parts[] = {
        {domain, sizeof domain},""",
        f"{C_TESTS}/test_update.c::what_the_node_knows_is_signed",
    ),
    Removal(
        "an old envelope is refused",
        f"{CORE}/update/envelope.c",
        "attune_little_read(envelope + SEQUENCE) <= own->highest",
        "attune_little_read(envelope + SEQUENCE) == 0",
        f"{C_TESTS}/test_update.c::checks_come_in_their_order",
    ),
    Removal(
        "the highest sequence number never falls",
        f"{CORE}/store/identity.c",
        "return sequence > store->sequence ? write_identity(store, sequence, &keys) : ATTUNE_STORE_ORDER;",
        "return write_identity(store, sequence, &keys);",
        f"{C_TESTS}/test_store.c::sequence_numbers_only_rise",
    ),
    Removal(
        "an update gives what was announced",
        f"{CORE}/update/envelope.c",
        "memcmp(digest, announced, sizeof digest) == 0 ? ATTUNE_UPDATE_OK : ATTUNE_UPDATE_DIGEST",
        "ATTUNE_UPDATE_OK",
        f"{C_TESTS}/test_update.c::what_gives_something_else_is_refused",
    ),
    Removal(
        "what runs from a slot has its digest at every start",
        f"{CORE}/store/slots.c",
        "    return crypto_verify16(digest, info->digest) == 0;\n",
        "    return digest != NULL && info != NULL;\n",
        f"{C_TESTS}/test_store.c::a_slot_that_was_written_over_does_not_run",
    ),
    Removal(
        "a new signing key is named by the one before it",
        f"{CORE}/update/keys.c",
        "if (!attune_ed25519_check(statement + SIGNATURE, signer->key, parts, sizeof parts / sizeof parts[0])) {",
        "if (parts[0].size == 0) {",
        f"{C_TESTS}/test_update.c::a_node_that_slept_through_two_keys",
    ),
    Removal(
        "the stored chain of signing keys is checked",
        "daemon/attuned/updates/statements.py",
        "        except InvalidSignature:\n            raise EnvelopeError("
        'f"The statement of signing key {number} is not signed by the key before it.") from None\n',
        "        except InvalidSignature:\n            pass\n",
        "tests/unit/test_update_signer.py::test_the_stored_chain_is_checked",
    ),
    Removal(
        "the signer signs updates and nothing else",
        "daemon/attuned/updates/signer.py",
        "        return REFUSED, str(error).encode()\n    except OSError",
        "        return DONE, desk.key.private.sign(body)\n    except OSError",
        "tests/unit/test_update_signer.py::test_the_process_signs_updates_and_nothing_else",
    ),
    Removal(
        "no node gets two updates with one number",
        "daemon/attuned/updates/numbers.py",
        "if update.sequence <= highest:",
        "if update.sequence < 0:",
        "tests/unit/test_update_signer.py::test_no_node_gets_two_updates_with_one_number",
    ),
]

RUNNING_UPDATES = [
    Removal(
        "a node says no to whatever is wrong with an envelope, and nothing of it changes",
        f"{CORE}/node/update.c",
        "    if (verdict == ATTUNE_UPDATE_OK) {\n        verdict = install(",
        "    if (verdict == ATTUNE_UPDATE_OK || verdict == ATTUNE_UPDATE_SEQUENCE) {\n        verdict = install(",
        f"{C_TESTS}/test_node_update.c::each_verdict",
    ),
    Removal(
        "a node takes what was signed for it alone",
        f"{CORE}/node/update.c",
        "attune_audience(false, node->identity.node_id, node->schema.hash, node->identity.hardware, own.node);",
        'attune_audience(false, node->identity.node_id, node->schema.hash, "mps2-an385", own.node);',
        f"{C_TESTS}/test_node_update.c::what_is_signed_for_another",
    ),
    Removal(
        "a node that has no signing key takes no update",
        f"{CORE}/node/update.c",
        "= attune_keys_hold(attune_store_keys(node->keep.store), ATTUNE_KEY_SIGNING)\n",
        "= attune_keys_hold(attune_store_keys(node->keep.store), ATTUNE_KEY_NODE)\n",
        f"{C_TESTS}/test_node_update.c::a_node_without_a_key_takes_nothing",
    ),
    Removal(
        "a new owner's node has forgotten who signed before",
        f"{CORE}/session/session.c",
        "    attune_keys_drop_signer(&keys);\n    /* Where that",
        "    /* Where that",
        f"{C_TESTS}/test_node_update.c::a_node_without_a_key_takes_nothing",
    ),
    Removal(
        "the first signing key stays until the node is commissioned anew",
        f"{CORE}/node/update.c",
        "    } else if (!held) {\n",
        "    } else if (!held || number > keys->signing_number) {\n",
        f"{C_TESTS}/test_node_update.c::a_node_takes_its_first_key_alone",
    ),
    Removal(
        "one update at a time is on trial",
        f"{CORE}/node/update.c",
        "verdict == ATTUNE_UPDATE_OK && attune_node_on_trial(node) ? ATTUNE_UPDATE_BUSY : verdict;",
        "verdict;",
        f"{C_TESTS}/test_node_trial.c::one_trial_at_a_time",
    ),
    Removal(
        "a decision takes no committed release back",
        f"{CORE}/node/trial.c",
        "attune_node_on_trial(node) && sequence_on_trial(node) == decision->sequence;",
        "attune_node_on_trial(node) && decision->sequence;",
        f"{C_TESTS}/test_node_trial.c::the_daemon_decides",
    ),
    Removal(
        "a trial ends by itself after its restarts",
        f"{CORE}/store/slots.c",
        "if (next.trial == ATTUNE_SLOT_NONE || next.restarts == 0) {",
        "if (next.trial == ATTUNE_SLOT_NONE) {",
        f"{C_TESTS}/test_store.c::a_trial_sees_three_restarts",
    ),
    Removal(
        "a trial ends by itself after its time",
        f"{CORE}/store/slots.c",
        "    if (passed >= next.left_s) {\n        return drop_trial(store);\n    }\n",
        "",
        f"{C_TESTS}/test_store.c::a_trial_ends_with_its_time",
    ),
    Removal(
        "a node looks for the end of its trial, and says how it ended",
        f"{CORE}/node/trial.c",
        "    (void)!attune_slots_poll(node->keep.store, (uint32_t)(node->now_ms / 1000));\n",
        "",
        f"{C_TESTS}/test_node_trial.c::a_trial_ends_by_itself",
    ),
    Removal(
        "what the daemon says of an update is on its disk before",
        "daemon/attuned/updates/deliveries.py",
        "            await self._store(step.course)\n",
        "            self._keep(step.course)\n",
        "tests/unit/test_update_survival.py::test_the_daemon_may_end_at_any_moment",
    ),
    Removal(
        "nobody else on the machine reads the store",
        "daemon/attuned/store/database.py",
        "            self._make_private()\n",
        "",
        "tests/unit/test_daemon_store.py::test_nobody_else_reads_the_store",
    ),
]
