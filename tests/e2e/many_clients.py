"""Many clients in one process that costs little: all of them send one video that was encoded beforehand.

    python3 many_clients.py '{…}' COUNT SECONDS     with what Demo.client_settings() returns

Prints a JSON list with the predictions of each client and its latencies, in milliseconds.
"""

import asyncio
import itertools
import json
import sys
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python"))

import aiohttp
import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)

from sources import SyntheticSource


class EncodedTrack(MediaStreamTrack):
    """Plays the video again and again, and knows when each frame was sent."""

    kind = "video"

    def __init__(self, video: list[bytes]) -> None:
        super().__init__()
        self.sent_at: list[float] = []
        self._video = itertools.cycle(video)
        self._loop = asyncio.get_running_loop()

    async def recv(self) -> av.Packet:
        """Returns the next frame when its time has come."""
        number = len(self.sent_at)
        if number > 0:
            await asyncio.sleep(self.sent_at[0] + number / FRAMES_PER_SECOND - self._loop.time())
        packet = av.Packet(next(self._video))
        packet.pts, packet.time_base = number, Fraction(1, FRAMES_PER_SECOND)
        self.sent_at.append(self._loop.time())
        return packet


class Client:
    """One session."""

    def __init__(self, settings: dict[str, str], video: list[bytes]) -> None:
        relay = RTCIceServer(
            urls=f"turn:{settings['TURN_SERVER_URL']}:{settings['TURN_SERVER_PORT']}",
            username=settings["TURN_USERNAME"],
            credential=settings["TURN_CREDENTIAL"],
        )
        self._settings = settings
        self._peer = RTCPeerConnection(RTCConfiguration([relay], iceTransportPolicy=RTCIceTransportPolicy.RELAY))
        self._track = EncodedTrack(video)
        self._peer.addTrack(self._track)
        self._peer.createDataChannel("results").on("message", self._predicted)
        self._latencies_ms: list[float] = []
        self._boxes: list[int] = []

    async def run(self, http: aiohttp.ClientSession, seconds: float) -> dict:
        """Returns what it got in so many seconds from the first prediction on."""
        await self._peer.setLocalDescription(await self._peer.createOffer())
        offer = {"sdp": self._peer.localDescription.sdp, "type": "offer"}
        headers = {"api-key": self._settings["API_KEY"]}
        async with http.post(self._settings["SERVER_URL"], json=offer, headers=headers) as response:
            assert response.status == 200, await response.text()
            answer = await response.json()
        await self._peer.setRemoteDescription(RTCSessionDescription(sdp=answer["sdp"], type=answer["type"]))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self._latencies_ms:
                await asyncio.sleep(0.05)
        self._latencies_ms.clear()
        self._boxes.clear()
        await asyncio.sleep(seconds)
        got = {"latencies_ms": list(self._latencies_ms), "boxes": list(self._boxes)}
        await self._peer.close()
        return got

    def _predicted(self, message: str) -> None:
        prediction = json.loads(message)
        sent_at = self._track.sent_at[prediction["frame_id"]]
        self._latencies_ms.append((asyncio.get_running_loop().time() - sent_at) * 1000)
        self._boxes.append(len(prediction["boxes"]))


def encode(seconds: int) -> list[bytes]:
    """Returns a video with a key frame each second, which is as good as asking for one."""
    source = SyntheticSource()
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 640, 480, "yuv420p"
    encoder.bit_rate, encoder.gop_size = 1_000_000, FRAMES_PER_SECOND
    encoder.time_base = Fraction(1, FRAMES_PER_SECOND)
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    packets = []
    for number in range(seconds * FRAMES_PER_SECOND):
        frame = av.VideoFrame.from_ndarray(source.read(), format="bgr24")
        frame.pts = number
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in packets + encoder.encode(None)]


async def run(settings: dict[str, str], count: int, seconds: float) -> list[dict]:
    video = encode(seconds=4)
    async with aiohttp.ClientSession() as http:
        clients = [Client(settings, video) for _ in range(count)]
        return await asyncio.gather(*(client.run(http, seconds) for client in clients))


FRAMES_PER_SECOND = 30
PATIENCE_SECONDS = 30

if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))))
