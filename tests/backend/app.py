"""The backend's HTTP side: takes offers and tells its health."""

import os
from contextlib import asynccontextmanager
from secrets import compare_digest
from typing import Literal

from aiortc import RTCSessionDescription
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

from .peer import Peer


class Offer(BaseModel):
    """What a client posts."""

    sdp: str
    type: Literal["offer"]
    user_id: str | None = None


class Answer(BaseModel):
    """What it gets."""

    sdp: str
    type: Literal["answer"]


def create_app(fps: int) -> FastAPI:
    """Returns the application; clients number their frames at `fps`."""
    peers: set[Peer] = set()
    api_key = os.environ.get("BACKEND_API_KEY")

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        yield
        for peer in list(peers):
            await peer.close()

    app = FastAPI(lifespan=lifespan)

    @app.get("/skin/webrtc/health")
    async def tell_health() -> dict[str, str]:
        return {"status": "WebRTC Skin API healthy"}

    @app.post("/skin/webrtc/offer")
    async def accept(offer: Offer, given_key: str = Header(default="", alias="api-key")) -> Answer:
        if api_key and not compare_digest(given_key.encode(), api_key.encode()):
            raise HTTPException(401, "api-key is missing or wrong")
        peer = Peer(fps, on_end=peers.discard)
        peers.add(peer)
        try:
            answer = await peer.answer(RTCSessionDescription(sdp=offer.sdp, type=offer.type))
        except Exception as error:  # aiortc tells a bad offer by exceptions of many kinds
            peers.discard(peer)
            await peer.close()
            raise HTTPException(400, f"the offer cannot be answered: {error!r}") from error
        return Answer(sdp=answer.sdp, type="answer")

    return app
