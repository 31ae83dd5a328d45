"""Records of sessions, through kill -9: in databases once, elsewhere at least once, with the relay's counts."""

import json
import sqlite3
import sys
from pathlib import Path

from eventually import eventually
from inference_backend import Backend
from network import Network
from postgres import Postgres
from process import Process
from python_client import Client, default_settings
from turnpike import Turnpike

SERVICE = Path(__file__).parent / "webhook_service.py"


def test_every_record_that_is_owed_arrives(network: Network, backend: Backend, tmp_path: Path) -> None:
    database = tmp_path / "records.db"

    def with_records(config: str) -> str:
        return config + RECORDS.format(database=database, port=PORT, secret=SECRET)

    # Nobody takes records, and the process is killed twice: with a session that has ended and is owed, and with one
    # that goes on.
    with Turnpike(network.relay, tmp_path, change=with_records) as turnpike:
        with Client(network.client, tmp_path, default_settings(user_id="ann"), *HUNDRED_PREDICTIONS) as client:
            assert client.outcome().exit_code == 0
        ended = turnpike.log_record("session ended")
        relayed = relayed_by_session(turnpike)[ended["session"]]
        eventually(lambda: assert_written(turnpike))
        folder = tmp_path / "second"
        folder.mkdir()
        with Client(network.client, folder, default_settings(user_id="ben"), "--predictions", "100000"):
            cut_off = turnpike.log_record("offer answered", user_id="ben")["session"]
            eventually(lambda: assert_live(database, cut_off))
            turnpike.kill()
    with Turnpike(network.relay, tmp_path, change=with_records) as turnpike:
        assert turnpike.log_record("sessions of a process that was killed get their records now")["sessions"] == 1
        turnpike.kill()

    with (
        Process(network.relay.command(sys.executable, str(SERVICE), str(PORT), SECRET)) as service,
        Turnpike(network.relay, tmp_path, change=with_records) as turnpike,
    ):
        eventually(lambda: assert_told(service, {ended["session"], cut_off}), seconds=30)
        usage = {one["group"]: one for one in turnpike.admin("/admin/v1/usage?group_by=user_id")["usage"]}

    messages = [json.loads(line) for line in service.stdout.all()]
    assert all(message["is_right"] for message in messages)
    told = {message["id"]: message["message"]["data"] for message in messages}
    assert told[cut_off]["reason"] == "crash"
    # What the webhook and the API say is what the relay counted when each allocation ended.
    for name, count in relayed.items():
        assert told[ended["session"]][name] == count, name
        assert usage["ann"]["usage"][name] == count, name
    assert usage["ann"]["sessions"] == usage["ben"]["sessions"] == 1
    assert rows(database, "SELECT count(*) FROM records") == [(2,)]
    assert rows(database, "SELECT count(*) FROM live") == rows(database, "SELECT count(*) FROM owed") == [(0,)]


def test_a_database_of_postgresql_gets_each_record_once(network: Network, backend: Backend, tmp_path: Path) -> None:
    database, lines = tmp_path / "records.db", tmp_path / "records.jsonl"
    postgres = Postgres(network.relay, POSTGRES_PORT)

    def with_records(config: str) -> str:
        return config + RECORDS_OF_POSTGRES.format(
            database=database, lines=lines, url=postgres.url, ca_file=postgres.ca_file
        )

    # It is away when the first session ends, and the process is killed while it owes the record.
    with Turnpike(network.relay, tmp_path, change=with_records) as turnpike:
        first = one_session(network, turnpike, tmp_path, "ann")
        eventually(lambda: assert_written(turnpike))
        eventually(lambda: assert_failed_at_postgres(turnpike))
        turnpike.kill()
    with postgres, Turnpike(network.relay, tmp_path, change=with_records) as turnpike:
        folder = tmp_path / "second"
        folder.mkdir()
        second = one_session(network, turnpike, folder, "b'e\\n")
        eventually(lambda: assert_told_to_postgres(postgres, [first["session"], second["session"]]), seconds=30)
        [counts] = postgres.rows(f"SELECT {', '.join(COUNTS)} FROM sessions WHERE session = '{second['session']}'")
        assert counts == [str(second[name]) for name in COUNTS]
        # What was not known to be safe comes again, and is the same row.
        turnpike.kill()
        owe_again(database, "postgres", first["session"])
    with postgres, Turnpike(network.relay, tmp_path, change=with_records) as turnpike:
        eventually(lambda: assert_owed(database, 0))
        assert postgres.rows("SELECT count(*), count(DISTINCT user_id) FROM sessions") == [["2", "2"]]
    postgres.remove()
    written = [json.loads(line)["session"] for line in lines.read_text().splitlines()]
    assert sorted(written) == sorted([first["session"], second["session"]])


def one_session(network: Network, turnpike: Turnpike, folder: Path, user_id: str) -> dict:
    """Runs the client of the guide, and returns what the log says when its session has ended."""
    with Client(network.client, folder, default_settings(user_id=user_id), *HUNDRED_PREDICTIONS) as client:
        assert client.outcome().exit_code == 0
    return turnpike.log_record("session ended", user_id=user_id)


def owe_again(database: Path, taker: str, session: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO owed (taker, session) VALUES (?, ?)", (taker, session))


def assert_owed(database: Path, count: int) -> None:
    assert rows(database, "SELECT count(*) FROM owed") == [(count,)]


def assert_failed_at_postgres(turnpike: Turnpike) -> None:
    assert turnpike.metric("turnpike_records_deliveries_total", taker="postgres", result="failed") >= 1


def assert_told_to_postgres(postgres: Postgres, sessions: list[str]) -> None:
    assert sorted(session for [session] in postgres.rows("SELECT session FROM sessions")) == sorted(sessions)


def relayed_by_session(turnpike: Turnpike) -> dict[str, dict[str, int]]:
    """Returns what the log says of the allocations of each session, summed up."""
    sums: dict[str, dict[str, int]] = {}
    for record in map(json.loads, turnpike.log_lines()):
        if record["message"] == "allocation ended" and "session" in record:
            of_session = sums.setdefault(record["session"], dict.fromkeys(COUNTS, 0))
            for name in COUNTS:
                of_session[name] += record[name]
    return sums


def assert_written(turnpike: Turnpike) -> None:
    assert turnpike.metric("turnpike_records_written_total") == 1


def assert_live(database: Path, session: str) -> None:
    assert rows(database, f"SELECT count(*) FROM live WHERE session = '{session}'") == [(1,)]


def assert_told(service: Process, sessions: set[str]) -> None:
    assert sessions <= {json.loads(line)["id"] for line in service.stdout.all()}


def rows(database: Path, query: str) -> list[tuple]:
    with sqlite3.connect(database) as connection:
        return connection.execute(query).fetchall()


RECORDS = """
[records]
database = "{database}"
[records.webhook]
url = "http://127.0.0.1:{port}/sessions"
secret = "{secret}"
"""
RECORDS_OF_POSTGRES = """
[records]
database = "{database}"
[records.file]
path = "{lines}"
[records.postgres]
url = "{url}"
ca_file = "{ca_file}"
table = "sessions"
"""
PORT = 8200
POSTGRES_PORT = 5433
SECRET = "webhook-secret-0123456789abcdef"
COUNTS = ("packets_to_peer", "bytes_to_peer", "packets_to_client", "bytes_to_client")
HUNDRED_PREDICTIONS = ("--predictions", "100", "--seconds", "60")
