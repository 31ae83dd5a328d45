"""Exchanges the offer for the backend's answer, through the gateway."""

import aiohttp
from aiortc import RTCSessionDescription

from settings import Settings


class SignalingError(Exception):
    """The gateway refused the offer, could not be reached, or gave an answer that cannot be used."""


async def exchange(settings: Settings, offer: RTCSessionDescription) -> RTCSessionDescription:
    """Posts the offer and returns the answer."""
    url = settings.server_url
    body = {"sdp": offer.sdp, "type": offer.type}
    if settings.user_id is not None:
        body["user_id"] = settings.user_id
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(url, json=body, headers={"api-key": settings.api_key}) as response,
        ):
            if response.status != 200:
                text = (await response.text()).strip()
                raise SignalingError(f"{url} refused the offer with status {response.status}: {text}")
            answer = await response.json()
        return RTCSessionDescription(sdp=answer["sdp"], type=answer["type"])
    except TimeoutError:
        raise SignalingError(f"{url} gave no answer within {ANSWER_SECONDS} s: is the backend up") from None
    except aiohttp.ContentTypeError as error:
        raise SignalingError(f"{url} answered {error.message}: is SERVER_URL the offer endpoint") from error
    except aiohttp.ClientError as error:
        raise SignalingError(f"{url} cannot be reached: {error}; check SERVER_URL") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SignalingError(f"{url} answered without a session description: {error!r}; check SERVER_URL") from error


# An aiortc backend whose STUN server is unreachable takes 5 s to answer; a gateway may wait 30 s for it.
ANSWER_SECONDS = 40
