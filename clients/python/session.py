"""One WebRTC session: offers the video, has it answered, collects predictions until it ends."""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from aiortc import (
    InvalidAccessError,
    InvalidStateError,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)

from report import Report
from settings import Settings
from signaling import SignalingError, exchange
from sources import Source
from track import NumberedTrack


class MediaPathError(Exception):
    """No path for media was found, or it broke."""


@dataclass(frozen=True)
class Limits:
    """When a session ends by itself: at the first limit reached. None is no limit."""

    frames: int | None = None
    predictions: int | None = None
    seconds: float | None = None


class Session:
    """A connection to the backend that sends one source and hears its predictions."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        limits: Limits,
        relay_only: bool,
        on_picture: Callable[[np.ndarray], None],
        on_latency: Callable[[int, float], None],
    ) -> None:
        self.report = Report()
        self._settings = settings
        self._limits = limits
        self._relay_only = relay_only
        self._on_picture = on_picture
        self._on_latency = on_latency
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._finished: asyncio.Future[None] = self._loop.create_future()

        self._peer = RTCPeerConnection(self._configuration())
        self._peer.on("connectionstatechange", self._connection_changed)
        self._track = NumberedTrack(source, settings.fps, limits.frames, self._frame_sent)
        # Answers to the last frames are still on their way when the source ends.
        self._track.on("ended", lambda: self._loop.call_later(DRAIN_SECONDS, self.finish))
        self._peer.addTrack(self._track)
        self._peer.createDataChannel("results").on("message", self._prediction_arrived)

    async def connect(self) -> None:
        """Exchanges offer and answer, then waits until media can flow."""
        await self._peer.setLocalDescription(await self._peer.createOffer())
        self._check_relay_candidate()
        await self._apply(await exchange(self._settings, self._peer.localDescription))
        try:
            await asyncio.wait_for(self._connected, CONNECT_SECONDS)
        except TimeoutError:
            raise MediaPathError(f"no media path within {CONNECT_SECONDS} s: {PATH_HINT}") from None

    async def run(self) -> None:
        """Returns when a limit is reached, the source has ended or `finish` was called."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._finished, self._limits.seconds)

    def finish(self) -> None:
        """Ends `run`."""
        if not self._finished.done():
            self._finished.set_result(None)

    async def transport_summary(self) -> dict:
        """Returns what the connection itself knows, ready for JSON."""
        stats = (await self._peer.getStats()).values()
        transports = [entry for entry in stats if entry.type == "transport"]
        return {
            "ice_state": self._peer.iceConnectionState,
            "candidate_pairs": self._selected_pairs(),
            "bytes_sent": sum(entry.bytesSent for entry in transports),
            "bytes_received": sum(entry.bytesReceived for entry in transports),
        }

    async def close(self) -> None:
        """Closes the connection, which gives the relay its allocations back."""
        self._peer.remove_listener("connectionstatechange", self._connection_changed)
        await self._peer.close()

    def _configuration(self) -> RTCConfiguration:
        relay = RTCIceServer(
            urls=self._settings.turn_url,
            username=self._settings.turn_username,
            credential=self._settings.turn_credential,
        )
        policy = RTCIceTransportPolicy.RELAY if self._relay_only else RTCIceTransportPolicy.ALL
        return RTCConfiguration(iceServers=[relay], iceTransportPolicy=policy)

    def _check_relay_candidate(self) -> None:
        if " typ relay" in self._peer.localDescription.sdp:
            return
        problem = (
            f"{self._settings.turn_url} gave no relayed address: "
            "check that it can be reached and that TURN_USERNAME and TURN_CREDENTIAL are right"
        )
        if self._relay_only:
            raise MediaPathError(problem)
        print(f"warning: {problem}; going on without it", file=sys.stderr)

    async def _apply(self, answer: RTCSessionDescription) -> None:
        try:
            await self._peer.setRemoteDescription(answer)
        except (ValueError, InvalidAccessError, InvalidStateError) as error:
            raise SignalingError(f"the backend's answer does not fit the offer: {error!r}; see its log") from error

    def _connection_changed(self) -> None:
        state = self._peer.connectionState
        if state == "connected" and not self._connected.done():
            self._connected.set_result(None)
        elif state in ("failed", "closed"):
            if not self._connected.done():
                self._connected.set_exception(MediaPathError(f"no candidate pair works: {PATH_HINT}"))
            elif not self._finished.done():
                self._finished.set_exception(MediaPathError("the media path broke: the backend or the relay went away"))

    def _frame_sent(self, frame_id: int, picture: np.ndarray) -> None:
        self.report.frame_sent(frame_id, self._loop.time())
        self._on_picture(picture)

    def _prediction_arrived(self, message: str | bytes) -> None:
        now = self._loop.time()
        try:
            frame_id, boxes = parse_prediction(message)
        except (ValueError, KeyError, TypeError) as error:
            print(f"warning: not a prediction: {message[:200]!r}: {error!r}", file=sys.stderr)
            return
        latency = self.report.prediction(frame_id, boxes, now)
        if latency is not None:
            self._on_latency(frame_id, latency)
        if self.report.predictions == self._limits.predictions:
            self.finish()

    def _selected_pairs(self) -> list[str]:
        # aiortc has no statistics of candidate pairs; aioice keeps the nominated ones to itself.
        nominated = self._peer.sctp.transport.transport._connection._nominated.values()
        return [f"{pair.local_candidate.type}/{pair.remote_candidate.type}" for pair in nominated]


def parse_prediction(message: str | bytes) -> tuple[int, list[dict]]:
    """Returns the frame's number and its boxes; raises ValueError, KeyError or TypeError on anything else."""
    prediction = json.loads(message)
    boxes = []
    for detection in prediction["boxes"]:
        x, y, width, height = (float(value) for value in detection["box"])
        boxes.append({"class": str(detection["class"]), "box": [x, y, width, height]})
    return int(prediction["frame_id"]), boxes


PATH_HINT = "the relay may refuse the backend's address as a peer, or the backend may not be there"
# aioice gives up a candidate pair after its last retransmission, some 30 s; a path that works shows in less than one.
CONNECT_SECONDS = 20
# Longer than one answer takes on a slow link.
DRAIN_SECONDS = 1.0
