"""Which gateways of other machines may attach: invitations, certificates, and their end."""

import asyncio
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attuned.clock import Clock, SystemClock
from attuned.config import Settings
from attuned.errands import Errands
from attuned.errors import NotFoundError, RequestError
from attuned.gateways.authority import Authority, GatewayCertificate, read_certificate, read_request
from attuned.gateways.invitations import TOKEN_SIZE, fingerprint
from attuned.gone import GoneBook, Revoked
from attuned.store.gateways import GatewayRow, GatewayStore, InvitationRow

# Seconds: shorter ones nobody can use, longer ones lie about.
SHORTEST_S, LONGEST_S = 60, 7 * 86_400

# More than anybody installs at once.
OPEN_LIMIT = 64

NOT_LISTENING = (
    "The daemon listens for no gateways of other machines: `sudo attune setup` asks for a port for them (listen of "
    "[gateways] in its configuration)."
)

# For so long an invitation that has ended is remembered, so that who uses it hears that it has.
_REMEMBERED_MS = 86_400_000

# Hex digits of the token's SHA-256 by which certificates name their enrolment.
_ENROLMENT = 16


@dataclass(frozen=True)
class Invited:
    """What an invitation is made of, besides where the daemon is."""

    token: bytes = field(repr=False)
    authority: bytes
    until_utc_ms: int


@dataclass(frozen=True)
class Enrolment:
    """What a gateway gets for its invitation."""

    name: str
    certificate: x509.Certificate
    authority: x509.Certificate


class EnrolledGateways:
    """What the store says of gateways, held in memory; `clock` is the machine's, as TLS goes by that one.

    `authority` is None where the daemon listens for no gateways of other machines.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        store: GatewayStore,
        authority: Authority | None,
        errands: Errands,
        gone: GoneBook,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.clock = clock
        self.authority = authority
        self.rows: dict[str, GatewayRow] = {}
        self.invitations: dict[bytes, InvitationRow] = {}
        self._store = store
        self._errands = errands
        self._gone = gone
        self._entropy = entropy
        # An invitation that two use at once is used by one of them.
        self._changing = asyncio.Lock()

    @classmethod
    def of(cls, settings: Settings, store: GatewayStore, errands: Errands, gone: GoneBook) -> "EnrolledGateways":
        """As the configuration has it."""
        clock = SystemClock()
        authority = Authority(settings.store.path, clock) if settings.gateways.tls_port else None
        return cls(clock, store=store, authority=authority, errands=errands, gone=gone)

    async def open(self) -> None:
        """Reads the store and the authority's key, which is made the first time. Raises StoreError."""
        if self.authority is not None:
            self.authority.open()
        self.rows = {row.name: row for row in await self._store.gateways()}
        self.invitations = {row.token: row for row in await self._store.invitations()}

    async def invite(self, name: str, valid_s: int) -> Invited:
        """A token that makes whoever brings it the gateway of this name, once. RequestError, StoreError."""
        authority = self._authority()
        self._check(name, valid_s)
        token, now = self._entropy(TOKEN_SIZE), self.clock.utc_ms()
        row = InvitationRow(fingerprint(token), name, now + valid_s * 1000)
        async with self._changing:
            await self._store.invite(row, now - _REMEMBERED_MS)
            self.invitations = {key: old for key, old in self.invitations.items() if old.name != name}
            self.invitations[row.token] = row
        return Invited(token, authority.public, row.until_utc_ms)

    def invited_until_utc_ms(self) -> int:
        """When the last invitation ends, used or not: whose answer was lost may ask again. 0: there is none."""
        return max((row.until_utc_ms for row in self.invitations.values()), default=0)

    async def enrol(self, token: bytes, request: bytes) -> Enrolment:
        """The first certificate of whoever brings a token. RequestError, StoreError.

        The same key may ask again while the invitation lasts; no other can.
        """
        async with self._changing:
            invitation, now = self._invitation(token), self.clock.utc_ms()
            key = read_request(request)
            used_by = _digest(key)
            if invitation.used_by not in (b"", used_by):
                raise RequestError(
                    f"This invitation for {invitation.name} has been used, and each is good once: ask for a new one; "
                    f"if nobody of yours has used it, `attune gateway revoke {invitation.name}` shuts out who has."
                )
            enrolment = invitation.token.hex()[:_ENROLMENT]
            authority = self._authority()
            certificate = authority.for_gateway(invitation.name, enrolment, key)
            expires = read_certificate(certificate.public_bytes(Encoding.PEM)).expires_utc_ms
            row = GatewayRow(invitation.name, enrolment, now, expires)
            used = replace(invitation, used_by=used_by)
            await self._store.enrol(used, row)
            self.invitations[used.token], self.rows[row.name] = used, row
        return Enrolment(row.name, certificate, authority.certificate)

    def admit(self, pem: bytes) -> GatewayCertificate:
        """Who calls, by a certificate that TLS has found to be the authority's and in time.

        RequestError for one that does not count any more.
        """
        said = read_certificate(pem)
        row = self.rows.get(said.name)
        if row is None or row.enrolment != said.enrolment:
            raise RequestError(
                f"The certificate of gateway {said.name} does not count here any more: `attune gateway invite "
                f"{said.name}` makes an invitation to enroll it again."
            )
        if row.revoked_utc_ms:
            raise RequestError(
                f"Gateway {said.name} was revoked on {_day(row.revoked_utc_ms)}: `attune gateway invite {said.name}` "
                "makes an invitation if it is to come back."
            )
        if said.expires_utc_ms < row.expires_utc_ms:
            raise RequestError(
                f"Gateway {said.name} has used a newer certificate than this one: see whether a copy of it runs."
            )
        if said.expires_utc_ms <= self.clock.utc_ms():
            raise RequestError(f"The certificate of {said.name} has expired: invite the gateway anew.")
        return said

    def check_local(self, name: str) -> None:
        """RequestError for a gateway on this machine that takes the name of one that has certificates."""
        if name in self.rows:
            raise RequestError(f"{name} is the name of a gateway with a certificate: give this one another name.")

    def came(self, name: str, expires_utc_ms: int) -> None:
        """A gateway has attached with a certificate that ends then: earlier ones do not count any more."""
        self.rows[name] = replace(self.rows[name], expires_utc_ms=expires_utc_ms)
        self._note(name)

    def left(self, name: str, heard_utc_ms: int) -> None:
        """A gateway has gone."""
        if name in self.rows:
            self.rows[name] = replace(self.rows[name], heard_utc_ms=heard_utc_ms)
            self._note(name)

    def renew(self, said: GatewayCertificate, request: bytes) -> x509.Certificate | None:
        """The next certificate of a gateway that was admitted; None if it is too early. RequestError."""
        authority = self._authority()
        if not authority.is_due(said):
            return None
        return authority.for_gateway(said.name, said.enrolment, read_request(request))

    async def revoke(self, name: str) -> None:
        """No certificate and no invitation of this name counts any more. NotFoundError, RequestError, StoreError."""
        async with self._changing:
            row, invited = self.rows.get(name), any(each.name == name for each in self.invitations.values())
            if row is None and not invited:
                raise NotFoundError(f"There is no enrolled gateway {name!r}: `attune gateway list` names them.")
            if row is not None:
                row = replace(row, revoked_utc_ms=row.revoked_utc_ms or self.clock.utc_ms())
                await self._gone.add(gateways=[Revoked(name=name, enrolment=row.enrolment, utc_ms=row.revoked_utc_ms)])
                with self._gone.committing(f"gateway {name}"):
                    await self._store.revoke(row)
                self.rows[name] = row
            else:
                await self._store.withdraw(name)
            self.invitations = {key: old for key, old in self.invitations.items() if old.name != name}

    def _check(self, name: str, valid_s: int) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
            raise RequestError("A gateway's name has 1 to 64 letters, digits, dots, dashes or underscores.")
        if not SHORTEST_S <= valid_s <= LONGEST_S:
            raise RequestError("An invitation is valid for one minute to seven days, such as --valid 1h.")
        now = self.clock.utc_ms()
        others = [row for row in self.invitations.values() if row.until_utc_ms > now and row.name != name]
        if len(others) >= OPEN_LIMIT:
            raise RequestError(f"{OPEN_LIMIT} invitations are open: wait until some of them are used or have ended.")

    def _invitation(self, token: bytes) -> InvitationRow:
        row = self.invitations.get(fingerprint(token))
        if row is None:
            raise RequestError("The daemon has made no such invitation, or a newer one: ask for a new one.")
        if row.until_utc_ms <= self.clock.utc_ms():
            raise RequestError(f"The invitation for {row.name} has ended: `attune gateway invite` makes a new one.")
        return row

    def _authority(self) -> Authority:
        if self.authority is None:
            raise RequestError(NOT_LISTENING)
        return self.authority

    def _note(self, name: str) -> None:
        self._errands.put(partial(self._write, name), once=f"gateway {name}")

    async def _write(self, name: str) -> None:
        await self._store.note(self.rows[name])


def _digest(key: ec.EllipticCurvePublicKey) -> bytes:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def _day(utc_ms: int) -> str:
    return f"{datetime.fromtimestamp(utc_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
