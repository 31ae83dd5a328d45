"""Serves the backend: `python -m backend --port 8000`, from the folder above this one."""

import argparse
import json
import logging
import socket

import uvicorn

from .app import create_app


class AnnouncingServer(uvicorn.Server):
    """Prints one JSON line on stdout when requests are accepted."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        print(json.dumps({"ready": True, "host": host, "port": port}), flush=True)


def main() -> None:
    """Serves until it is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one, named in the ready line")
    parser.add_argument("--fps", type=int, default=30, help="the clients' CLIENT_FPS (default: 30)")
    arguments = parser.parse_args()

    # To stderr: stdout carries the ready line only.
    logging.basicConfig(level=logging.WARNING)
    config = uvicorn.Config(create_app(arguments.fps), host=arguments.host, port=arguments.port, log_level="warning")
    AnnouncingServer(config).run()


if __name__ == "__main__":
    main()
