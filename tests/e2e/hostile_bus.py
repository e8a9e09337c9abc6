"""A system bus of a test's own, with a bluetoothd that has one adapter, switched off."""

import subprocess
import sys
from pathlib import Path

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={folder}/bus.sock</listen>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_destination="*"/> <allow receive_sender="*"/>
    <{policy} send_destination="org.bluez"/>
  </policy>
</busconfig>
"""

_BLUETOOTHD = """
import asyncio, sys
from dbus_fast import BusType, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_property

class Adapter(ServiceInterface):
    def __init__(self):
        super().__init__("org.bluez.Adapter1")

    @dbus_property(access=PropertyAccess.READ)
    def Powered(self) -> "b":
        return False

async def main():
    bus = await MessageBus(bus_address=sys.argv[1]).connect()
    bus.export("/org/bluez/" + sys.argv[2], Adapter())
    await bus.request_name("org.bluez")
    print("ready", flush=True)
    await bus.wait_for_disconnect()

asyncio.run(main())
"""


class Bus:
    """policy: "allow" or "deny", whether users may speak to bluetoothd. Ends with its context."""

    def __init__(self, folder: Path, policy: str) -> None:
        self.address = f"unix:path={folder}/bus.sock"
        self._configuration = folder / "bus.conf"
        self._configuration.write_text(_CONFIGURATION.format(folder=folder, policy=policy))
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> "Bus":
        self._start("dbus-daemon", f"--config-file={self._configuration}", "--nofork", "--print-address=1")
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.communicate()

    def serve(self, adapter: str) -> None:
        """Starts a bluetoothd with an adapter of that name."""
        self._start(sys.executable, "-c", _BLUETOOTHD, self.address, adapter)

    def _start(self, *command: str) -> None:
        """Goes on when it has said its first line."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()
