"""An adapter of the Linux kernel whose controller is Bumble's, on one virtual air with Bumble's peripherals."""

from bumble import core, hci
from bumble.controller import Controller
from bumble.link import LocalLink
from bumble.transport import open_transport
from bumble.transport.common import Transport

ADDRESS = "C0:FF:EE:00:00:01"

# Bumble's controller says that it has these, but connections that the kernel makes with them fail or take seconds.
_WITHOUT = (
    hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
)

# The longest data packet on the air; Bumble's controller would take 27 bytes at a time.
_DATA_LENGTH = 251


class Air(LocalLink):
    """Carries data under the addresses that a connection was made with: the kernel's adapter uses its public one."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is not None and receiver is not None:
            receiver.on_link_acl_data(connection.self_address, transport, data)


class KernelRadio:
    """hci0, once it is plugged in. Needs root and the module hci_vhci."""

    def __init__(self, air: LocalLink) -> None:
        self._air = air
        self._transport: Transport | None = None
        self._controller: Controller | None = None

    async def plug_in(self) -> None:
        """The kernel has an adapter afterwards, and bluetoothd learns of it."""
        self._transport = await open_transport("vhci")
        # Nothing may be awaited in between: the kernel resets its controller at once.
        source, sink = self._transport.source, self._transport.sink
        self._controller = Controller("kernel", source, sink, self._air, ADDRESS)
        self._controller.le_features &= ~_WITHOUT
        self._controller.le_acl_data_packet_length = _DATA_LENGTH

    async def unplug(self) -> None:
        """The adapter is gone, with all its connections; the nodes notice as by a time-out of the link."""
        if self._transport is None or self._controller is None:
            return
        self._air.remove_controller(self._controller)
        await self._transport.close()
        self._transport = None
