"""A database server of PostgreSQL, which speaks TLS alone and asks for a password."""

import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from certificate import Certificate
from eventually import eventually
from network import Namespace, run
from process import Process

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
USER, PASSWORD = "turnpike", "postgres-password-0123"
# The server refuses to run as root.
OWNER = "postgres"


class Postgres:
    """A server on a host; a `with` block starts and ends it, and its data stays until `remove`."""

    def __init__(self, host: Namespace, port: int) -> None:
        assert PROGRAMS.exists(), "PostgreSQL 15 is missing: apt install postgresql-15"
        self._host = host
        self._port = port
        self._folder = Path(tempfile.mkdtemp(prefix="turnpike-postgres-"))
        certificate = Certificate(self._folder, "127.0.0.1")
        self.ca_file = certificate.file
        password_file = self._folder / "password"
        password_file.write_text(PASSWORD)
        for path in (self._folder, *self._folder.iterdir()):
            shutil.chown(path, OWNER, OWNER)
        certificate.key_file.chmod(0o600)
        self._data = self._folder / "data"
        initdb = [PROGRAMS / "initdb", "-D", self._data, "-U", USER, "-A", "scram-sha-256", "--pwfile", password_file]
        run(as_owner(initdb))
        (self._data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "ssl": "on",
            "ssl_cert_file": certificate.file,
            "ssl_key_file": certificate.key_file,
        }
        self._options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Where it is, as turnpike is told."""
        return f"postgres://{USER}:{PASSWORD}@127.0.0.1:{self._port}/postgres?sslmode=require"

    def __enter__(self) -> "Postgres":
        command = as_owner([PROGRAMS / "postgres", "-D", self._data, *self._options])
        self._process = Process(self._host.command(*command))
        eventually(lambda: self.rows("SELECT 1"), seconds=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def remove(self) -> None:
        """Deletes everything."""
        shutil.rmtree(self._folder)

    def rows(self, query: str) -> list[list[str]]:
        """Returns what a query finds."""
        command = self._host.command(str(PROGRAMS / "psql"), self.url, "-At", "-F", "\t", "-c", query)
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]


def as_owner(command: list) -> list[str]:
    """Returns the command line that runs a command as the server's owner."""
    owner = pwd.getpwnam(OWNER)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", *map(str, command)]
