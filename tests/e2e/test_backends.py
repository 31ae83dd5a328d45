"""The gateway in front of backends that fail: real ones under uvicorn, and one made of raw sockets."""

import asyncio
import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from eventually import eventually
from process import Process
from test_gateway import HEALTH_PATH, OFFER_PATH, make_offer
from turnpike import API_KEY, REPOSITORY, START_SECONDS, binary, environment


class LocalBackend:
    """The real backend on a port of this host; the `with` block ends it."""

    def __init__(self, port: int = 0) -> None:
        command = [sys.executable, "-m", "backend", "--port", str(port)]
        self._process = Process(command, cwd=str(REPOSITORY / "tests"))
        line = self._process.stdout.wait_for(lambda line: json.loads(line)["ready"], seconds=60)
        assert line is not None, self._process.stderr.text()
        self.port: int = json.loads(line)["port"]

    def __enter__(self) -> "LocalBackend":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the backend."""
        self._process.stop()


class Gateway:
    """A turnpike on this host with the given backends."""

    def __init__(self, folder: Path, backends: dict[str, int], options: str = "") -> None:
        self.port, self._admin_port, turn_port = free_ports(3)
        config = folder / "turnpike.toml"
        tables = "".join(
            f'[[gateway.backends]]\nname = "{name}"\nurl = "http://127.0.0.1:{port}"\n'
            for name, port in backends.items()
        )
        config.write_text(
            f'[turn]\nlisten = ["127.0.0.1:{turn_port}"]\nlisten_tcp = []\nworkers = 1\n'
            f'[gateway]\nlisten = "127.0.0.1:{self.port}"\n'
            f'[[gateway.keys]]\nid = "app"\nkey = "{API_KEY}"\n'
            f'[admin]\nlisten = "127.0.0.1:{self._admin_port}"\n'
            f"{options}\n{tables}"
        )
        env = environment()
        self._process = Process([str(binary()), "serve", "--config", str(config)], env=env)

    def __enter__(self) -> "Gateway":
        eventually(self._assert_ready, seconds=START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def offer(self, body: dict, connection: http.client.HTTPConnection | None = None) -> tuple[int, dict, dict]:
        """Returns status, headers in lower case, and JSON of the answer."""
        return self.ask("POST", OFFER_PATH, json.dumps(body).encode(), connection)

    def ask(
        self, method: str, path: str, body: bytes = b"", connection: http.client.HTTPConnection | None = None
    ) -> tuple[int, dict, dict]:
        """The same for any request."""
        connection = connection or self.connect()
        connection.request(method, path, body, {"api-key": API_KEY, "content-type": "application/json"})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, json.loads(response.read())

    def connect(self) -> http.client.HTTPConnection:
        """Returns a connection that can be kept."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def metric(self, name: str, **labels: str) -> float:
        """Returns the sum of the samples of that name that carry these labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self._admin_port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def _assert_ready(self) -> None:
        assert not self._process.has_ended(), self._process.stderr.text()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self._admin_port, timeout=10)
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == 200
        except ConnectionError as error:
            raise AssertionError("turnpike does not listen yet") from error


def test_an_idle_connection_that_uvicorn_closes_costs_no_offer(offer: dict, tmp_path: Path) -> None:
    with LocalBackend() as backend, Gateway(tmp_path, {"real": backend.port}) as gateway:

        def spaced(pause: float) -> list[int]:
            connection = gateway.connect()
            statuses = []
            for _ in range(3):
                statuses.append(gateway.offer(offer, connection)[0])
                time.sleep(pause)
            return statuses

        with ThreadPoolExecutor() as clients:
            statuses = [status for each in clients.map(spaced, PAUSES_SECONDS) for status in each]

        assert statuses == [200] * (3 * len(PAUSES_SECONDS))
        assert gateway.metric("turnpike_gateway_backend_failures_total") == 0


def test_of_two_backends_one_may_fail(offer: dict, tmp_path: Path) -> None:
    with LocalBackend() as first, LocalBackend() as second:
        options = '[gateway.ejection]\nfailures = 2\ntime = "1s"'
        with Gateway(tmp_path, {"first": first.port, "second": second.port}, options) as gateway:
            assert [gateway.offer(offer)[0] for _ in range(4)] == [200] * 4
            assert answered(gateway, "first") > 0 and answered(gateway, "second") > 0

            first.stop()
            assert [gateway.offer(offer)[0] for _ in range(8)] == [200] * 8
            assert gateway.metric("turnpike_gateway_backend_state", backend="first", state="ejected") == 1

            before = answered(gateway, "first")
            with LocalBackend(first.port):

                def is_used_again() -> None:
                    assert gateway.offer(offer)[0] == 200
                    assert answered(gateway, "first") > before

                eventually(is_used_again, seconds=30)
            assert gateway.metric("turnpike_gateway_backend_failures_total") == 0


def test_a_backend_that_restarts_is_found_by_health_checks(offer: dict, tmp_path: Path) -> None:
    options = '[gateway.health_check]\nenabled = true\nbody = "healthy"\ninterval = "500ms"'
    with LocalBackend() as backend, Gateway(tmp_path, {"only": backend.port}, options) as gateway:
        assert gateway.ask("GET", HEALTH_PATH)[0] == 200
        backend.stop()

        def is_out() -> None:
            status, headers, problem = gateway.offer(offer)
            assert (status, problem["code"]) == (503, "no_backend"), problem
            assert int(headers["retry-after"]) >= 1

        eventually(is_out, seconds=30)

        with LocalBackend(backend.port):
            eventually(lambda: assert_status(gateway.offer(offer), 200), seconds=30)


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (b"", 502, "backend_closed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", 502, "backend_closed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 502, "backend_garbled"),
        (None, 504, "backend_timed_out"),
    ],
    ids=["dies", "dies_halfway", "garbage", "hangs"],
)
def test_says_how_a_backend_failed_and_sends_nothing_twice(
    answer: bytes | None, status: int, code: str, offer: dict, tmp_path: Path
) -> None:
    options = '[gateway.timeouts]\nbackend_headers = "1s"'
    with (
        raw_backend(answer) as (port, count),
        LocalBackend() as real,
        Gateway(tmp_path, {"raw": port, "real": real.port}, options) as gateway,
    ):
        results = [gateway.offer(offer) for _ in range(2)]

        (failed,) = [result for result in results if result[0] != 200]
        assert (failed[0], failed[2]["code"]) == (status, code)
        assert int(failed[1]["retry-after"]) >= 1
        assert (count(), answered(gateway, "real")) == (1, 1)


def test_an_idempotency_key_replays_the_answer_of_the_real_backend(offer: dict, tmp_path: Path) -> None:
    with LocalBackend() as backend, Gateway(tmp_path, {"real": backend.port}) as gateway:
        headers = {"api-key": API_KEY, "content-type": "application/json", "idempotency-key": '"8e03978e"'}

        def send() -> tuple[int, str | None, bytes]:
            connection = gateway.connect()
            connection.request("POST", OFFER_PATH, json.dumps(offer).encode(), headers)
            response = connection.getresponse()
            return response.status, response.headers["x-session-id"], response.read()

        first, again = send(), send()

        assert first[0] == 200
        assert first == again
        assert answered(gateway, "real") == 1


@pytest.fixture(scope="module")
def offer() -> dict[str, str]:
    return asyncio.run(make_offer())


@contextmanager
def raw_backend(answer: bytes | None) -> Iterator[tuple[int, Callable[[], int]]]:
    """Reads one request on each connection, answers and closes; `None` neither answers nor closes."""
    listener = socket.create_server(("127.0.0.1", 0))
    requests: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if not connection.recv(1 << 16):
                continue
            requests.append(connection)
            if answer is not None:
                connection.sendall(answer)
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], lambda: len(requests)
    finally:
        # Wakes the thread, which a mere close does not.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in requests:
            connection.close()


def answered(gateway: Gateway, backend: str) -> float:
    """Returns how many requests a backend has answered."""
    return gateway.metric("turnpike_gateway_backend_requests_total", backend=backend, outcome="answered")


def assert_status(result: tuple[int, dict, dict], status: int) -> None:
    """Asserts the status of an answer."""
    assert result[0] == status, result


def free_ports(count: int) -> list[int]:
    """Returns ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


# Around the 5 s after which uvicorn closes an idle connection.
PAUSES_SECONDS = (4.9, 5.0, 5.1)
