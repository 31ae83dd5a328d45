"""The outgoing video track: numbers the pictures of a source and paces them."""

import asyncio
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from sources import Source


class NumberedTrack(MediaStreamTrack):
    """Sends frames 0, 1, 2, … whose timestamps are their numbers, so that the receiver can name them."""

    kind = "video"

    def __init__(
        self,
        source: Source,
        fps: int,
        frame_limit: int | None,
        on_frame: Callable[[int, np.ndarray], None],
    ) -> None:
        super().__init__()
        self._source = source
        self._time_base = Fraction(1, fps)
        self._frame_limit = frame_limit
        self._on_frame = on_frame
        self._next_id = 0
        self._began_at = 0.0

    async def recv(self) -> VideoFrame:
        """Returns the next frame when its time has come; the track ends with the source."""
        picture = await self._next_picture() if self.readyState == "live" else None
        if picture is None:
            self.stop()
            raise MediaStreamError

        frame = VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = self._next_id, self._time_base
        self._on_frame(self._next_id, picture)
        self._next_id += 1
        return frame

    async def _next_picture(self) -> np.ndarray | None:
        if self._next_id == self._frame_limit:
            return None
        await self._wait_for_turn()
        return await asyncio.to_thread(self._source.read)

    async def _wait_for_turn(self) -> None:
        now = asyncio.get_running_loop().time()
        due_at = self._began_at + float(self._next_id * self._time_base)
        if self._next_id == 0 or now > due_at + MAX_LAG_SECONDS:
            self._began_at += now - due_at
            return
        await asyncio.sleep(due_at - now)


# A source that fell behind by more than this goes on from now instead of catching up in a burst.
MAX_LAG_SECONDS = 0.5
