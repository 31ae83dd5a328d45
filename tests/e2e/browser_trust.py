"""Which certificates Chromium trusts: those in a database in its home directory."""

import subprocess
from pathlib import Path

from network import require_tool


def make_database(home: Path) -> None:
    """Begins with no certificate at all."""
    require_tool("certutil", package="libnss3-tools")
    (home / ".pki" / "nssdb").mkdir(parents=True)
    run_certutil(home, "-N", "--empty-password")


def trust(certificate: Path, home: Path) -> None:
    """Makes Chromium take the certificate's owner for an issuer that it trusts."""
    run_certutil(home, "-A", "-n", "turnpike", "-t", "C,,", "-i", str(certificate))


def run_certutil(home: Path, *arguments: str) -> None:
    database = f"sql:{home}/.pki/nssdb"
    subprocess.run(["certutil", "-d", database, *arguments], check=True, capture_output=True, timeout=TOOL_SECONDS)


TOOL_SECONDS = 30
