"""A TCP proxy before a broker that changes the addresses which the broker's answers give to clients."""

import contextlib
import socket
import threading
from collections.abc import Callable

Change = Callable[[bytes], bytes]


class BrokerProxy:
    """Listens on a free port of 127.0.0.1; what comes back from the broker goes through `change`, same in length."""

    def __init__(self, broker: str, change: Change) -> None:
        host, _, port = broker.rpartition(":")
        self._broker, self._change = (host, int(port)), change
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                broker = socket.create_connection(self._broker)
                for source, target, change in ((client, broker, bytes), (broker, client, self._change)):
                    threading.Thread(target=_pump, args=(source, target, change), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket, change: Change) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(change(data))
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()
