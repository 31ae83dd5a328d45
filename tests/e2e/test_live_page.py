"""The live page of the admin listener: sessions come and go on it, can be ended there, and it outlives the server."""

import re
from pathlib import Path

import pytest

from eventually import eventually
from inference_backend import Backend
from live_page import LivePage
from network import Network
from python_client import Client, default_settings
from turnpike import ADMIN_TOKEN, REPOSITORY, Ports, Turnpike

ARTEFACTS = REPOSITORY / "tests" / "artefacts"
# What the page writes where it knows nothing.
NOTHING = "\N{EN DASH}"
OTHER_PORTS = Ports(turn=13478, turns=15349, anonymous=13479, gateway=18080, admin=19090, backend=18000)
PHONE = {"width": 390, "height": 844}
# What would be a picture, if the page took it for HTML.
HOSTILE_USER = "<img src=x onerror=alert(1)>"


def test_sessions_come_go_and_are_ended(
    network: Network, turnpike: Turnpike, home: Path, tmp_path: Path
) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    with LivePage(network.relay, home, turnpike.ports.admin) as page:
        asked = eventually(lambda: assert_asks(page))
        assert asked["state"] == "denied"
        page.do("token", text=ADMIN_TOKEN)
        before = eventually(lambda: assert_state(page, "live"))
        assert before["sessions"] == before["users"] == []
        assert before["parts"] == ["gateway", "relay"]

        clients = [start(network, tmp_path, user) for user in ("user-7", HOSTILE_USER)]
        with clients[0] as one, clients[1] as other:
            shown = eventually(lambda: assert_media(page, 2), seconds=30)
            users = {session["cells"][0]: session for session in shown["sessions"]}
            assert set(users) == {"user-7", HOSTILE_USER}
            assert number(users["user-7"]["cells"][4]) > 10, "kbit/s of video"
            assert number(users["user-7"]["cells"][9]) > 10, "frames a second"
            assert shown["figures"]["sessions"] == shown["figures"]["allocations"] == "2"
            assert shown["backends"][0][2:4] == ["healthy", "2"]
            assert shown["charts"] == 3
            eventually(lambda: assert_users(page, {"user-7", HOSTILE_USER}))
            page.do("picture", path=str(ARTEFACTS / "live-page.png"))

            found = page.do("filter", text="user-7")
            assert ([session["cells"][0] for session in found["sessions"]], found["shown"]) == (["user-7"], "1 of 2")
            page.do("filter", text="")

            ended = page.do("end", session=users[HOSTILE_USER]["id"])
            assert [session["cells"][0] for session in ended["sessions"]] == ["user-7"]
            eventually(lambda: assert_allocations(page, 1))
            assert other.outcome().summary["predictions"] < one.outcome().summary["predictions"] / 2
        eventually(lambda: assert_sessions(page, 0), seconds=30)


def test_fits_a_phone_in_the_dark(network: Network, turnpike: Turnpike, home: Path) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    with LivePage(network.relay, home, turnpike.ports.admin, viewport=PHONE, scheme="dark") as page:
        eventually(lambda: assert_asks(page))
        page.do("token", text="nobody-has-this-token")
        eventually(lambda: assert_asks(page))
        page.do("token", text=ADMIN_TOKEN)
        shown = eventually(lambda: assert_state(page, "live"))
        page.do("picture", path=str(ARTEFACTS / "live-page-phone.png"))

    assert shown["overflows"] is False


def test_goes_on_after_a_restart(network: Network, backend: Backend, home: Path, tmp_path: Path) -> None:
    def serve() -> Turnpike:
        return Turnpike(network.relay, tmp_path, ports=OTHER_PORTS, change=without_token)

    with serve() as turnpike, LivePage(network.relay, home, turnpike.ports.admin) as page:
        eventually(lambda: assert_state(page, "live"))
        turnpike.kill()
        eventually(lambda: assert_state(page, "lost"))
        with serve():
            shown = eventually(lambda: assert_state(page, "live"), seconds=20)

    assert shown["figures"]["sessions"] == "0"


def without_token(config: str) -> str:
    token = f'token = "{ADMIN_TOKEN}"\n'
    assert config.count(token) == 1
    return config.replace(token, "")


def start(network: Network, folder: Path, user_id: str) -> Client:
    """Starts a client that streams for a while."""
    own = folder / user_id[1:4]
    own.mkdir()
    return Client(network.client, own, default_settings(user_id=user_id), "--seconds", "14")


def number(text: str) -> float:
    return float(text.replace(",", ""))


def assert_asks(page: LivePage) -> dict:
    shown = page.do("look")
    assert shown["asksForToken"] and shown["state"] == "denied", shown
    return shown


def assert_state(page: LivePage, state: str) -> dict:
    shown = page.do("look")
    assert shown["state"] == state, shown
    # The first state has been shown.
    assert state != "live" or shown["figures"]["sessions"] != NOTHING, shown
    return shown


def assert_sessions(page: LivePage, count: int) -> dict:
    shown = page.do("look")
    assert len(shown["sessions"]) == count, shown
    return shown


def assert_allocations(page: LivePage, count: int) -> None:
    assert page.do("look")["figures"]["allocations"] == str(count)


def assert_users(page: LivePage, users: set[str]) -> None:
    """Both have had about the same relayed, and together all that there was."""
    shown = page.do("look")["users"]
    assert {user for user, *_ in shown} == users, shown
    assert all(client == "app" and re.fullmatch(r"[\d.]+ [kM]B", relayed) for _, client, relayed, *_ in shown), shown
    assert sum(number(share.removesuffix(" %")) for *_, share in shown) == pytest.approx(100, abs=0.2), shown


def assert_media(page: LivePage, count: int) -> dict:
    """Each session has media, and has had it for long enough that there is a frame rate."""
    shown = assert_sessions(page, count)
    cells = [session["cells"] for session in shown["sessions"]]
    assert all(cell[2] == "media" and cell[9] != NOTHING and cell[4] != NOTHING for cell in cells), shown
    return shown
