"""A client that connects as others do, then sends what no client should: as much of it as it can.

    python3 malicious_client.py '{…}'     with what Demo.client_settings() returns; prints what it has sent, as JSON
"""

import asyncio
import json
import os
import random
import struct
import sys
import time
from contextlib import suppress

import aiohttp
import pylibsrtp
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)


async def run(settings: dict[str, str]) -> dict[str, int]:
    relay = RTCIceServer(
        urls=f"turn:{settings['TURN_SERVER_URL']}:{settings['TURN_SERVER_PORT']}",
        username=settings["TURN_USERNAME"],
        credential=settings["TURN_CREDENTIAL"],
    )
    peer = RTCPeerConnection(RTCConfiguration([relay], iceTransportPolicy=RTCIceTransportPolicy.RELAY))
    sender = peer.addTrack(VideoStreamTrack())
    channels = [peer.createDataChannel(name) for name in ("junk", "results", "results")]
    await peer.setLocalDescription(await peer.createOffer())
    await peer.setRemoteDescription(await answer(settings, peer.localDescription.sdp))
    while peer.connectionState != "connected" or channels[1].readyState != "open":
        assert peer.connectionState in ("new", "connecting", "connected"), peer.connectionState
        await asyncio.sleep(0.05)
    # The camera's own packets show what a good one looks like.
    await asyncio.sleep(1)
    sent = {"messages": send_messages(peer, channels), "packets": 0}
    number = 0
    deadline = time.monotonic() + SECONDS
    # Takes the place of the camera.
    sender.replaceTrack(None)
    while time.monotonic() < deadline:
        for _ in range(50):
            # Some of it is nothing that SRTP can protect.
            number += RANDOM.choice([1, 1, 1, 1, 1, 2, 50, 3000])
            with suppress(ValueError, pylibsrtp.Error):
                await sender.transport._send_rtp(packet(sender._ssrc, number))
                sent["packets"] += 1
        await asyncio.sleep(0.01)
    await peer.close()
    return sent


async def answer(settings: dict[str, str], sdp: str) -> RTCSessionDescription:
    offer = {"sdp": sdp, "type": "offer", "user_id": "mallory"}
    headers = {"api-key": settings["API_KEY"]}
    url = settings["SERVER_URL"]
    async with aiohttp.ClientSession() as session, session.post(url, json=offer, headers=headers) as response:
        assert response.status == 200, await response.text()
        description = await response.json()
        return RTCSessionDescription(sdp=description["sdp"], type=description["type"])


def packet(ssrc: int, number: int) -> bytes:
    """RTP or RTCP of no sense, most of it for the decoder: payloads of VP8 with everything set at random."""
    kind = RANDOM.random()
    if kind < 0.1:
        # RTCP: reports, feedback, and what has no name; lengths that lie.
        head = bytes([0x80 | RANDOM.randrange(32), 192 + RANDOM.randrange(32)])
        return head + RANDOM.randbytes(RANDOM.randrange(6, 400))
    if kind < 0.2:
        # Any header at all.
        return bytes([0x80 | RANDOM.randrange(64), RANDOM.randrange(64)]) + RANDOM.randbytes(RANDOM.randrange(10, 1200))
    marker = 0x80 if RANDOM.random() < 0.5 else 0
    header = struct.pack(
        "!BBHII",
        0x80,
        marker | VP8_PAYLOAD_TYPE,
        number % (1 << 16),
        RANDOM.randrange(1 << 32),
        ssrc if RANDOM.random() < 0.9 else RANDOM.randrange(1 << 32),
    )
    # A payload descriptor that begins a partition, then a key frame's start with any size (RFC 7741, RFC 6386 §9.1).
    start = bytes([0x10]) + bytes([RANDOM.randrange(256) & 0xFE, 0xFF, 0x0F, 0x9D, 0x01, 0x2A]) + RANDOM.randbytes(4)
    return header + (start if RANDOM.random() < 0.5 else b"") + RANDOM.randbytes(RANDOM.randrange(0, 1100))


def send_messages(peer: RTCPeerConnection, channels: list[RTCDataChannel]) -> int:
    """Messages larger than anybody wants, and more channels than anybody needs."""
    # Else aiortc would keep to what the answer allows.
    peer.sctp._remote_max_message_size = 0
    for channel in channels:
        channel.send(os.urandom(GIANT_BYTES))
    more = [peer.createDataChannel(f"channel {number}") for number in range(500)]
    return len(channels) + len(more)


RANDOM = random.Random(8656)
# aiortc's first one.
VP8_PAYLOAD_TYPE = 97
GIANT_BYTES = 16 << 20
SECONDS = 10

if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
