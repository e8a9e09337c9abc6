"""Every check of docs/security.md that can be taken away; those of updates and backups stand in files of their own."""

from removal import C_TESTS, CORE, NODES, Removal
from removals_of_backups import BACKUPS
from removals_of_updates import RUNNING_UPDATES, UPDATES

SESSIONS = [
    Removal(
        "a node takes no sealed frame twice",
        f"{CORE}/session/sealed.c",
        "counter < session->next_receive || counter == UINT32_MAX",
        "counter == UINT32_MAX",
        f"{C_TESTS}/test_sealed.c::each_refusal_has_its_reason",
    ),
    Removal(
        "the daemon takes no sealed frame twice",
        f"{NODES}/sealed.py",
        "if not self._next_receive <= counter < _COUNTER_END:",
        "if not counter < _COUNTER_END:",
        "tests/unit/test_session_sealed.py::test_exactly_whole_and_newer_frames_are_delivered",
    ),
    Removal(
        "what is forged does not open",
        f"{CORE}/session/aead.c",
        "bool opened = crypto_aead_read(&context, text, sealed + size, ad, ad_size, sealed, size) == 0;",
        "bool opened = crypto_aead_read(&context, text, sealed + size, ad, ad_size, sealed, size) <= 0;",
        f"{C_TESTS}/test_noise.c::handshakes_end_in_the_same_keys_and_leave_nothing",
    ),
    Removal(
        "a node takes nothing in the clear",
        f"{CORE}/session/session.c",
        "    if (attune_sealed_open(&session->sealed, frame, size, text, &text_size) != ATTUNE_SEALED_OK) {\n"
        "        return ATTUNE_OPEN_BAD;\n",
        "    if (attune_sealed_open(&session->sealed, frame, size, text, &text_size) != ATTUNE_SEALED_OK) {\n"
        "        text_size = size > ATTUNE_SEALED_TEXT ? size - ATTUNE_SEALED_TEXT : 0;\n",
        f"{C_TESTS}/test_session.c::what_is_in_the_clear_is_not_believed",
    ),
    Removal(
        "the daemon takes nothing in the clear",
        f"{NODES}/sealed.py",
        "        if text is None:\n            raise FrameError("
        '"a sealed frame that is late, repeated, changed or under other keys")\n        return text',
        "        return text if text is not None else frame[TEXT_AT:]",
        "tests/unit/test_daemon_hub.py::test_what_is_in_the_clear_is_not_taken",
    ),
    Removal(
        "handshake messages come in their order",
        f"{CORE}/session/noise.c",
        "return noise->next < noise->last && (noise->next % 2 == 0) == (noise->initiator == writing);",
        "return noise->next < noise->last && (writing || !writing);",
        f"{C_TESTS}/test_noise.c::messages_out_of_their_turn_are_refused",
    ),
    Removal(
        "a handshake message that was cut short is refused",
        f"{CORE}/session/noise.c",
        "message_size < around || message_size - around > ATTUNE_NOISE_PAYLOAD",
        "message_size < around / 2 || message_size > ATTUNE_NOISE_MESSAGE",
        f"{C_TESTS}/test_noise.c::messages_of_impossible_sizes_are_refused",
    ),
    Removal(
        "a replayed handshake does not end a live session",
        f"{NODES}/sealed.py",
        "        self._offers = [*self._offers, offer][-_OFFERS:]\n",
        "        self._live, self.own = offer.session, offer.own\n",
        "tests/unit/test_trust.py::test_a_replayed_handshake_does_not_end_a_live_session",
    ),
    Removal(
        "handshakes in a node's name are bounded",
        f"{NODES}/trust.py",
        "        return count < TRIES\n",
        "        return True\n",
        "tests/unit/test_trust.py::test_a_flood_of_handshakes_costs_no_more_than_a_few",
    ),
    Removal(
        "calls keep a node busy only now and then",
        f"{CORE}/session/session.c",
        "from_ms - now_ms >= ATTUNE_CALLS_AT_ONCE * ATTUNE_CALL_PAUSE_MS",
        "from_ms < now_ms",
        f"{C_TESTS}/test_session.c::calls_are_answered_seldom",
    ),
    Removal(
        "a damaged frame is dropped by the node",
        f"{CORE}/framing/frame.c",
        "return good ? ATTUNE_FRAME_READY : ATTUNE_FRAME_DAMAGED;",
        "return good || sent != NULL ? ATTUNE_FRAME_READY : ATTUNE_FRAME_DAMAGED;",
        f"{C_TESTS}/test_frame.c::damage_is_told_and_the_next_frame_is_good",
    ),
    Removal(
        "a damaged frame is dropped by the gateway",
        "gateway/attune_gateway/framing.py",
        "elif crc_hqx(body[:-2], _CRC_START) != body[-2] | body[-1] << 8:",
        "elif not body:",
        "tests/unit/test_gateway_framing.py::test_every_single_bit_error_is_noticed",
    ),
]

NODES_AND_LABELS = [
    Removal(
        "a node takes no daemon that does not know its code",
        f"{CORE}/session/noise.c",
        "    mix_key_and_hash(noise, psk);\n",
        "    static const uint8_t none[32];\n    (void)psk;\n    mix_key_and_hash(noise, none);\n",
        f"{C_TESTS}/test_noise.c::without_the_secret_nobody_is_answered_or_believed",
    ),
    Removal(
        "a test image is not commissioned",
        f"{NODES}/trust.py",
        "if flags & TEST and not self.test_nodes:",
        "if flags & TEST and not self.test_nodes and not flags:",
        "tests/unit/test_trust.py::test_a_test_node_is_not_commissioned_where_test_nodes_are_not_taken",
    ),
    Removal(
        "a node of another daemon is taken over only on a person's word",
        f"{NODES}/trust.py",
        "not in ours and not waiting.row.take_over:",
        "not in ours and not waiting.row:",
        "tests/unit/test_trust.py::test_a_node_of_another_daemon_says_so_and_can_be_taken_over_with_its_code",
    ),
    Removal(
        "a mistyped code is noticed",
        f"{NODES}/codes.py",
        "    if wrong:\n",
        "    if wrong > LENGTH:\n",
        "tests/unit/test_codes.py::test_every_wrong_character_is_found_in_its_group",
    ),
    Removal(
        "a node does not speak for another",
        f"{NODES}/dispatch.py",
        "if hello.node_id.hex() != conversation.node:",
        "if not conversation.node:",
        "tests/unit/test_daemon_hub.py::test_a_hello_whose_node_id_does_not_fit_its_hint_is_dropped",
    ),
    Removal(
        "strangers fill no memory",
        f"{NODES}/trust.py",
        "if hint in self.strangers or len(self.strangers) < STRANGER_LIMIT:",
        "if hint:",
        "tests/unit/test_daemon_hub.py::test_strangers_are_heard_of_up_to_a_limit_and_get_nothing",
    ),
    Removal(
        "a node lets go only of reports that it has sent",
        f"{CORE}/node/link.c",
        "if (ack->through > node->ever_sent_seq) {",
        "if (ack->through == UINT32_MAX) {",
        f"{C_TESTS}/test_node.c::what_is_stale_is_not_believed",
    ),
    Removal(
        "a node cannot claim to have learned more than it was sent",
        "daemon/attuned/labels/teaching.py",
        "learned = min(ack.learned, len(part.windows))",
        "learned = ack.learned",
        "tests/unit/test_daemon_teaching.py::test_a_node_cannot_claim_more_than_it_was_sent",
    ),
]

GATEWAYS = [
    Removal(
        "a gateway says nothing to a daemon that did not invite it",
        "gateway/attune_gateway/enrolling.py",
        "    _check_daemon(shown, invitation, address)\n",
        "",
        "tests/unit/test_gateway_enrolling.py::test_a_daemon_of_another_authority_hears_nothing",
    ),
    Removal(
        "a gateway cannot pose as the daemon",
        "gateway/attune_gateway/enrolling.py",
        "    if DAEMON_NAME not in names.get_values_for_type(x509.DNSName) or",
        "    if",
        "tests/unit/test_gateway_enrolling.py::test_only_the_daemons_own_certificate_will_do",
    ),
    Removal(
        "an invitation is good for one key",
        "daemon/attuned/gateways/enrolled.py",
        'if invitation.used_by not in (b"", used_by):',
        "if not used_by:",
        "tests/unit/test_gateways_enrolled.py::test_an_invitation_is_good_for_one_key",
    ),
    Removal(
        "an invitation ends",
        "daemon/attuned/gateways/enrolled.py",
        "if row.until_utc_ms <= self.clock.utc_ms():",
        "if not row.until_utc_ms:",
        "tests/unit/test_gateways_enrolled.py::test_one_that_has_ended",
    ),
    Removal(
        "the store holds no token of an invitation",
        "daemon/attuned/gateways/invitations.py",
        "return hashlib.sha256(token).digest()",
        "return token",
        "tests/unit/test_gateways_enrolled.py::test_the_store_holds_no_token",
    ),
    Removal(
        "nobody attaches over TLS without a certificate of the authority",
        "daemon/attuned/gateways/listening.py",
        "require_client_authentication=True",
        "require_client_authentication=False",
        "tests/unit/test_gateway_tls.py::test_certificates_that_tls_refuses",
    ),
    Removal(
        "a gateway has the name of its certificate, whatever it says",
        "daemon/attuned/nodes/link_service.py",
        "        name = said.name if said else hello.name\n",
        "        name = hello.name\n",
        "tests/unit/test_gateway_tls.py::test_the_name_is_the_certificates",
    ),
    Removal(
        "a gateway that was revoked is refused",
        "daemon/attuned/gateways/enrolled.py",
        "        if row.revoked_utc_ms:\n            raise RequestError(",
        "        if not row.name:\n            raise RequestError(",
        "tests/unit/test_gateways_enrolled.py::test_revoked_through_a_restart_until_it_is_enrolled_anew",
    ),
    Removal(
        "a certificate that was renewed counts until the next one is used",
        "daemon/attuned/gateways/enrolled.py",
        "if said.expires_utc_ms < row.expires_utc_ms:",
        "if said.expires_utc_ms < 0:",
        "tests/unit/test_gateways_enrolled.py::test_both_count_until_the_next_one_is_used",
    ),
    Removal(
        "a certificate request names nobody",
        "daemon/attuned/gateways/authority.py",
        "    if not plain:\n",
        "    if not request:\n",
        "tests/unit/test_gateways_enrolled.py::test_one_that_names_itself",
    ),
    Removal(
        "who asks for a certificate owns its key",
        "daemon/attuned/gateways/authority.py",
        " or not signed:",
        ":",
        "tests/unit/test_gateways_enrolled.py::test_a_key_that_somebody_else_owns",
    ),
    Removal(
        "a gateway that does not read is shut out all the same",
        "daemon/attuned/nodes/link_service.py",
        "if self._stream is not None:",
        "if self._stream is None:",
        "tests/unit/test_daemon_link_service.py::test_a_stream_that_nobody_reads_is_ended_all_the_same",
    ),
]

RADIOS = [
    Removal(
        "a frame over Bluetooth that names its node is dropped",
        f"{NODES}/link.py",
        "if frame[1:HEADER_SIZE] != EVERY_NODE:",
        "if not frame:",
        "tests/unit/test_daemon_air.py::test_a_frame_over_the_air_that_names_its_node_is_dropped_and_counted",
    ),
    Removal(
        "no frame on the air names its node",
        f"{NODES}/link.py",
        "_with_hint(frame, EVERY_NODE) if self.on_air else frame",
        "frame",
        "tests/unit/test_daemon_air.py::test_a_node_is_commissioned_over_the_air_and_found_again_after_a_restart",
    ),
    Removal(
        "advertisements that somebody makes up cost a bounded number of tries",
        f"{NODES}/advertising.py",
        "        return left >= cost\n",
        "        return True\n",
        "tests/unit/test_advertising.py::test_made_up_hints_cost_a_bounded_number_of_tries_of_each_source",
    ),
    Removal(
        "another gateway is told of a node only once the link of the first is down",
        f"{NODES}/radio.py",
        "        return not mine and since_ms >= SETTLE_MS\n",
        "        return True\n",
        "tests/unit/test_radio.py::test_a_link_that_gets_worse_ends_before_another_gateway_is_told",
    ),
    Removal(
        "a gateway that claims a node and does not serve it loses it to one that hears it",
        f"{NODES}/radio.py",
        "idle = now_ms - service.good_ms >= PATIENCE_MS",
        "idle = False",
        "tests/unit/test_radio.py::test_a_gateway_that_wants_a_node_and_serves_it_not_loses_it",
    ),
]

REMOVALS = [*BACKUPS, *UPDATES, *RUNNING_UPDATES, *SESSIONS, *NODES_AND_LABELS, *GATEWAYS, *RADIOS]
