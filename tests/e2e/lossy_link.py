"""Stands between clients and a server on UDP, and loses some of the datagrams, each way.

    python3 lossy_link.py LISTEN_PORT SERVER_PORT LOSS_PERCENT

Prints `ready`, and how many were lost once it is told to end.
Kernels can do that as well (netem), where they have it.
"""

import asyncio
import random
import signal
import sys

Address = tuple[str, int]


class ServerSide(asyncio.DatagramProtocol):
    """Looks like one client to the server."""

    def __init__(self, link: "Link", client: Address) -> None:
        self._link = link
        self._client = client

    def datagram_received(self, data: bytes, _: Address) -> None:
        """Passes on what comes from the server."""
        if self._link.is_kept():
            self._link.transport.sendto(data, self._client)


class Link(asyncio.DatagramProtocol):
    """The clients' side, and a socket for each of them."""

    transport: asyncio.DatagramTransport

    def __init__(self, server: Address, loss: float) -> None:
        self._server = server
        self._loss = loss
        self._random = random.Random(SEED)
        self.lost = 0
        self._clients: dict[Address, asyncio.Task[asyncio.DatagramTransport]] = {}

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        """Tells that clients may come."""
        self.transport = transport
        print("ready", flush=True)

    def datagram_received(self, data: bytes, client: Address) -> None:
        """Passes on what comes from a client."""
        if self.is_kept():
            known = self._clients.get(client)
            if known is None:
                known = self._clients[client] = asyncio.create_task(self._connect(client))
            known.add_done_callback(lambda task: task.result().sendto(data))

    def is_kept(self) -> bool:
        """Whether the next datagram arrives."""
        is_kept = self._random.random() >= self._loss
        self.lost += not is_kept
        return is_kept

    async def _connect(self, client: Address) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: ServerSide(self, client), remote_addr=self._server)
        return transport


async def run(listen_port: int, server_port: int, loss_percent: float) -> None:
    loop = asyncio.get_running_loop()
    link = Link(("127.0.0.1", server_port), loss_percent / 100)
    await loop.create_datagram_endpoint(lambda: link, local_addr=("127.0.0.1", listen_port))
    end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    await end.wait()
    print(f"{link.lost} lost", flush=True)


# The same datagrams are lost each time, as far as clients send the same.
SEED = 8656

if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
