"""The parts that the tests share: the network, the backend, turnpike."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from browser_trust import make_database
from inference_backend import Backend
from network import Network
from turnpike import Ports, Turnpike


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    with Network() as network:
        yield network


@pytest.fixture(scope="session")
def backend(network: Network) -> Iterator[Backend]:
    with Backend(network.backend, Ports().backend) as backend:
        yield backend


@pytest.fixture(scope="module")
def turnpike(network: Network, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turnpike]:
    with Turnpike(network.relay, tmp_path_factory.mktemp("turnpike")) as turnpike:
        yield turnpike


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory, where Chromium keeps the certificates that it trusts: none yet."""
    make_database(tmp_path)
    return tmp_path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the ends of the logs with each failure."""
    report = yield
    for name in ("turnpike", "backend", "demo", "prometheus"):
        program = item.funcargs.get(name)
        if report.failed and program is not None:
            report.sections.append((f"log of {name}", "".join(program.log_lines()[-50:])))
    return report
