#!/usr/bin/env python3
"""Streams video through a turnpike relay to an inference backend and shows the predictions that come back."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable

# Before aiortc, which loads PyAV: on Linux, the other way round, OpenCV's first window hangs for ever.
import cv2  # noqa: F401
import numpy as np

from session import Limits, MediaPathError, Session
from settings import Settings, SettingsError, load_settings
from signaling import SignalingError
from sources import CaptureSource, Source, SourceError, SyntheticSource
from window import Window, WindowError

EXIT_CODES = """exit codes:
  0    a limit was reached, the source ended, or the user quit
  2    wrong usage or settings, or no picture source or window
  3    the gateway refused the offer or cannot be reached
  4    no media path to the backend, or it broke
  5    fewer predictions came than --predictions asks for
  130  interrupted
"""


class TooFewPredictions(Exception):
    """The session ended before the predictions that were asked for came."""


EXIT_CODE_OF = {
    SettingsError: 2,
    SourceError: 2,
    WindowError: 2,
    SignalingError: 3,
    MediaPathError: 4,
    TooFewPredictions: 5,
}


def main() -> int:
    """Runs one session and returns the exit code."""
    arguments = parse_arguments()
    try:
        asyncio.run(stream(arguments))
    except KeyboardInterrupt:
        return 130
    except tuple(EXIT_CODE_OF) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CODE_OF[type(error)]
    return 0


def parse_arguments() -> argparse.Namespace:
    """Returns what the user typed."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--camera", type=int, default=0, metavar="N", help="camera number (default: 0)")
    source.add_argument("--video", metavar="FILE", help="a video file in place of the camera")
    source.add_argument("--synthetic", action="store_true", help="a drawn lesion in place of the camera")
    parser.add_argument("--headless", action="store_true", help="no window; latencies on stderr, a summary on stdout")
    parser.add_argument("--relay-only", action="store_true", help="use no path but the relay")
    parser.add_argument("--frames", type=positive(int), metavar="N", help="stop after N frames")
    parser.add_argument("--predictions", type=positive(int), metavar="N", help="stop after N predictions")
    parser.add_argument("--seconds", type=positive(float), metavar="S", help="stop S seconds after connecting")
    parser.add_argument("--env-file", metavar="FILE", help="read settings from this file (default: .env)")
    return parser.parse_args()


async def stream(arguments: argparse.Namespace) -> None:
    """Streams until a limit; a headless run prints its summary even when it fails."""
    settings = load_settings(arguments.env_file)
    source = open_source(arguments)
    try:
        if arguments.headless:
            await stream_headless(settings, source, arguments)
        else:
            await stream_to_window(settings, source, arguments)
    finally:
        source.close()


def open_source(arguments: argparse.Namespace) -> Source:
    """Opens the source that the user chose."""
    if arguments.synthetic:
        return SyntheticSource()
    return CaptureSource(arguments.camera if arguments.video is None else arguments.video)


async def stream_headless(settings: Settings, source: Source, arguments: argparse.Namespace) -> None:
    """Prints one line per answered frame on stderr and the summary, one JSON object, on stdout."""
    session = new_session(settings, source, arguments, on_picture=lambda picture: None)
    began_at = time.monotonic()
    problem: str | None = None
    try:
        await run(session, arguments)
    except asyncio.CancelledError:
        problem = "interrupted"
        raise
    except Exception as error:
        problem = str(error)
        raise
    finally:
        summary = session.report.summary() | await session.transport_summary()
        summary |= {"seconds": round(time.monotonic() - began_at, 3), "error": problem}
        print(json.dumps(summary))
        await session.close()


async def stream_to_window(settings: Settings, source: Source, arguments: argparse.Namespace) -> None:
    """Shows each picture that is sent, with the newest boxes."""
    window = Window()

    def show(picture: np.ndarray) -> None:
        if window.show(picture, session.report.boxes):
            session.finish()

    session = new_session(settings, source, arguments, on_picture=show)
    try:
        await run(session, arguments)
    finally:
        await session.close()
        window.close()


def new_session(
    settings: Settings, source: Source, arguments: argparse.Namespace, on_picture: Callable[[np.ndarray], None]
) -> Session:
    """Makes the session that the arguments describe."""
    limits = Limits(arguments.frames, arguments.predictions, arguments.seconds)
    return Session(settings, source, limits, arguments.relay_only, on_picture, print_latency)


async def run(session: Session, arguments: argparse.Namespace) -> None:
    """Connects and streams."""
    await session.connect()
    await session.run()
    if session.report.predictions < (arguments.predictions or 0):
        raise TooFewPredictions(
            f"{session.report.predictions} of {arguments.predictions} predictions came: "
            "is the backend keeping up, and is --seconds or --frames large enough"
        )


def print_latency(frame_id: int, latency: float) -> None:
    """Prints the way of one frame to the backend and back."""
    print(f"frame {frame_id} answered after {latency * 1000:.1f} ms", file=sys.stderr)


def positive(number_type: type) -> Callable[[str], float]:
    """Returns an argument type that accepts numbers above zero only."""

    def parse(text: str) -> float:
        number = number_type(text)
        if not number > 0:
            raise ValueError
        return number

    parse.__name__ = f"positive {number_type.__name__}"
    return parse


if __name__ == "__main__":
    sys.exit(main())
