"""What every request passes before the application: whose it is, how large it is, how long it takes."""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A body must come at this rate, in bytes a second, after so many seconds of grace.
GRACE, RATE = 10.0, 50_000
HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, not a name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


class Guard:
    """ASGI middleware. Refuses, in one line of JSON:

    - 421 a Host that is a name unknown here: a page of another site can make its own name lead to
      this machine (DNS rebinding), but neither an address nor `localhost`;
    - 403 a request that a page of another origin makes, unless that is in `origins`;
    - 413 a body of more than `limit` bytes, `file_limit` where files are sent to;
    - 408 a body that comes too slowly.

    names: further host names. It sets HEADERS where the application has not set them.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int,
        file_limit: int,
        names: Collection[str] = (),
        origins: Collection[str] = (),
    ) -> None:
        self.app, self.limit, self.file_limit = app, limit, file_limit
        self.names = {"localhost", socket.gethostname().lower(), *map(str.lower, names)}
        self.origins = set(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    sent.setdefault(name, value)
            await send(message)

        refused = self.refusal(headers)
        if refused is not None:
            code, detail = refused
            response = JSONResponse({"detail": detail}, code, {"connection": "close"})
            await response(scope, receive, answer)
            return
        limit = self.file_limit if scope["path"] == "/files" else self.limit
        await self.app(scope, Body(receive, headers, limit).receive, answer)

    def refusal(self, headers: Headers) -> tuple[int, str] | None:
        """Return the status and the reason if a request is not for this server."""
        given = headers.get("host", "")
        try:
            host = urlsplit(f"//{given}").hostname or ""
        except ValueError:
            host = ""
        if not (host in self.names or is_address(host)):
            return (
                421,
                "Unknown host name; use an address, or start the server with --allow-host.",
            )
        origin = headers.get("origin")
        own = {f"{scheme}://{given}" for scheme in ("http", "https")}
        if origin is not None and origin not in own | self.origins:
            return 403, "Requests from this origin need --allow-origin."
        return None


class Body:
    """The body of a request as it comes in, which raises an HTTPException if it is too large or too slow.

    The rest of one that is too large is read by uvicorn, so that its sender gets to read the answer.
    """

    def __init__(self, receive: Receive, headers: Headers, limit: int) -> None:
        self.source, self.limit = receive, limit
        self.size, self.start, self.complete = 0, time.monotonic(), False
        declared = headers.get("content-length", "")
        self.declared = int(declared) if declared.isdecimal() else 0

    async def receive(self) -> Message:
        """Return the next message of a request."""
        if self.complete:
            # Only the end of the connection can follow, whenever that is.
            return await self.source()
        if self.declared <= self.limit:
            message = await self.part()
            self.size += len(message.get("body", b""))
            self.complete = message["type"] != "http.request" or not message.get("more_body")
            if self.size <= self.limit:
                return message
        raise HTTPException(413, f"The request has more than {self.limit:,} bytes.")

    async def part(self) -> Message:
        late = self.start + GRACE + self.size / RATE
        try:
            async with asyncio.timeout(late - time.monotonic()):
                return await self.source()
        except TimeoutError:
            close = {"connection": "close"}
            raise HTTPException(408, "The request came in too slowly.", close) from None
