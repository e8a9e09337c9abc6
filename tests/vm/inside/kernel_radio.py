"""An adapter of the Linux kernel on the air of the tests. Needs root and the module hci_vhci."""

from air import AirController, Ether
from bumble import hci
from bumble.transport import open_transport
from bumble.transport.common import Transport

ADDRESS = "C0:FF:EE:00:00:01"

# The kernel sends packets as long as the controller's buffers, and takes them as long as an L2CAP frame.
_WHOLE = 251


class KernelRadio:
    """hci0, while it is plugged in."""

    def __init__(self, ether: Ether) -> None:
        self._ether = ether
        self._transport: Transport | None = None
        self._controller: AirController | None = None

    async def plug_in(self) -> None:
        """The kernel has an adapter afterwards, and bluetoothd hears of it."""
        self._transport = await open_transport("vhci")
        # Nothing may be awaited in between: the kernel resets its controller at once.
        source, sink = self._transport.source, self._transport.sink
        controller = AirController("kernel", self._ether, host_source=source, host_sink=sink, public_address=ADDRESS)
        controller.le_acl_data_packet_length = controller.fragment = _WHOLE
        self._controller = controller

    async def unplug(self) -> None:
        """The adapter is gone; nodes that it was connected to notice by their supervision time-outs."""
        if self._transport is None or self._controller is None:
            return
        self._controller.on_hci_reset_command(hci.HCI_Reset_Command())
        self._ether.remove_controller(self._controller)
        await self._transport.close()
        self._transport = self._controller = None
