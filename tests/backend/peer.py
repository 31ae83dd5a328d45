"""One client: receives its video, detects on the newest frame, answers on its DataChannel."""

import asyncio
import json
from collections.abc import Callable

from aiortc import MediaStreamTrack, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from .detector import detect_lesions


class Peer:
    """The backend's end of one session."""

    def __init__(self, fps: int, on_end: Callable[["Peer"], None]) -> None:
        self._fps = fps
        self._on_end = on_end
        self._channel: RTCDataChannel | None = None
        self._newest: VideoFrame | None = None
        self._frame_came = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        # Without STUN or TURN servers there is nothing to wait for: the answer is instant.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.on("datachannel", self._channel_opened)
        self._connection.on("track", self._track_came)
        self._connection.on("connectionstatechange", self._connection_changed)

    async def answer(self, offer: RTCSessionDescription) -> RTCSessionDescription:
        """Takes the offer and returns the answer, candidates included."""
        await self._connection.setRemoteDescription(offer)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        return self._connection.localDescription

    async def close(self) -> None:
        """Ends the session."""
        for task in self._tasks:
            task.cancel()
        await self._connection.close()

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label == "results":
            self._channel = channel

    def _track_came(self, track: MediaStreamTrack) -> None:
        if track.kind == "video":
            self._tasks = [asyncio.create_task(self._receive(track)), asyncio.create_task(self._predict())]

    async def _connection_changed(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            await self.close()
            self._on_end(self)

    async def _receive(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                self._newest = await track.recv()
                self._frame_came.set()
        except MediaStreamError:
            return

    async def _predict(self) -> None:
        while True:
            await self._frame_came.wait()
            self._frame_came.clear()
            frame = self._newest
            boxes = await asyncio.to_thread(_detect, frame)
            self._send({"frame_id": round(frame.pts * frame.time_base * self._fps), "boxes": boxes})

    def _send(self, prediction: dict) -> None:
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.send(json.dumps(prediction))


def _detect(frame: VideoFrame) -> list[dict]:
    return detect_lesions(frame.to_ndarray(format="bgr24"))
