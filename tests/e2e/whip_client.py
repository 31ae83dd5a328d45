"""A WHIP client (RFC 9725) on aiortc: publishes video, counts what comes back, ends its session, tells in JSON.

It knows no more of the gateway than WHIP does: a URL, a Bearer token, SDP both ways.
"""

import argparse
import asyncio
import json
from fractions import Fraction
from urllib.parse import urljoin

import aiohttp
import numpy as np
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from av import VideoFrame


class MovingSpot(VideoStreamTrack):
    """A dark spot that moves over a light ground."""

    _count = 0

    async def recv(self) -> VideoFrame:
        """Returns the next frame when it is due."""
        pts, time_base = await self.next_timestamp()
        picture = np.full((240, 320, 3), 200, np.uint8)
        left = 40 + self._count % 200
        picture[100:140, left : left + 40] = (40, 60, 90)
        self._count += 1
        frame = VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = pts, Fraction(time_base)
        return frame


async def publish(arguments: argparse.Namespace) -> dict:
    """Runs one session from POST to DELETE, and returns what was seen."""
    server = RTCIceServer(arguments.turn, arguments.turn_user, arguments.turn_password)
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[server]))
    predictions: asyncio.Queue[dict] = asyncio.Queue()
    channel = peer.createDataChannel("results")
    channel.on("message", lambda text: predictions.put_nowait(json.loads(text)))
    peer.addTransceiver(MovingSpot(), direction="sendonly")
    headers = {"Authorization": f"Bearer {arguments.token}"}
    try:
        await peer.setLocalDescription(await peer.createOffer())
        async with aiohttp.ClientSession(headers=headers) as http:
            offer = peer.localDescription.sdp.encode()
            async with http.post(arguments.url, data=offer, headers={"Content-Type": "application/sdp"}) as response:
                summary = {"status": response.status, "headers": {k.lower(): v for k, v in response.headers.items()}}
                body = await response.text()
                if response.status != 201:
                    return summary | {"body": body}
                resource = urljoin(str(response.url), response.headers["Location"])
            await peer.setRemoteDescription(RTCSessionDescription(body, "answer"))
            frames = {(await asyncio.wait_for(predictions.get(), 20))["frame_id"] for _ in range(arguments.predictions)}
            async with http.patch(resource, data=b"a=end-of-candidates\r\n") as response:
                summary["patched"] = response.status
            async with http.delete(resource) as response:
                summary["deleted"] = response.status
            async with http.delete(resource) as response:
                summary["deleted_again"] = response.status
            return summary | {"frames": len(frames)}
    finally:
        await peer.close()


def main() -> None:
    """Publishes as told, and prints what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "token", "turn", "turn-user", "turn-password"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--predictions", type=int, default=30)
    print(json.dumps(asyncio.run(publish(parser.parse_args()))))


if __name__ == "__main__":
    main()
