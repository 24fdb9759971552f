"""What runs first in a sandbox: it passes the proxy's port on to the door, and starts the command.

It is a program of its own, of the standard library alone: nothing else of this project is in the sandbox.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable
from contextlib import suppress

__all__ = ["pass_on"]

_CHUNK = 65536
_NOT_FOUND = 127
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, other: Awaitable[_Streams]) -> None:
    """Pass bytes between a connection and another one, which is being opened, until both have ended.

    A reset reaches the other side as a reset: an answer that was cut must not look complete.
    """
    try:
        far_reader, far_writer = await other
    except OSError:
        writer.transport.abort()
        return
    await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    for end in (writer, far_writer):
        end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        writer.transport.abort()
    else:
        # A proxy takes an end of what is sent for a hang-up, which it is.
        with suppress(OSError, RuntimeError):
            writer.close()


async def _main(door: str, port: int, argv: list[str]) -> int:
    async with await asyncio.start_server(
        lambda reader, writer: pass_on(reader, writer, asyncio.open_unix_connection(door)), "127.0.0.1", port
    ):
        # The command is told to end by whoever tells this one.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        try:
            process = await asyncio.create_subprocess_exec(*argv)
        except OSError as error:
            print(f"tachograph: cannot start {argv[0]} in the sandbox: {error.strerror}", file=sys.stderr)
            return _NOT_FOUND
        return await process.wait()


if __name__ == "__main__":
    code = asyncio.run(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
    # A signal as shells tell it.
    sys.exit(code if code >= 0 else 128 - code)
