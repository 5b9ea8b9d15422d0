"""Puts a server as far away as another continent: every byte arrives some time later.

Where the kernel has netem, that does it better; this does it anywhere, and for one port.
"""

import asyncio
import sys

_CHUNK = 256 * 1024
_WINDOW = 64


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Carry bytes one way, each ``delay`` seconds late."""
    now = asyncio.get_running_loop().time
    coming: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WINDOW)

    async def deliver() -> None:
        while True:
            due, chunk = await coming.get()
            await asyncio.sleep(max(0.0, due - now()))
            if not chunk:
                break
            writer.write(chunk)
            await writer.drain()
        writer.close()

    delivering = asyncio.create_task(deliver())
    chunk = b"x"
    while chunk:
        chunk = await reader.read(_CHUNK)
        await coming.put((now() + delay, chunk))
    await delivering


async def serve_distant(port: int, target: int, delay: float) -> None:
    """Listen on ``port``, and be the server on ``target``, with a one-way ``delay``."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The handshake of a connection takes a round trip as well.
        await asyncio.sleep(2 * delay)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        ways = (_carry(reader, far_writer, delay), _carry(far_reader, writer, delay))
        await asyncio.gather(*ways, return_exceptions=True)

    server = await asyncio.start_server(meet, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    listen, behind, milliseconds = map(int, sys.argv[1:])
    asyncio.run(serve_distant(listen, behind, milliseconds / 2000))
