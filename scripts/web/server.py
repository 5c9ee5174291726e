"""uvicorn with what it lacks: a time limit for headers, and logs without anything that users wrote."""

import asyncio
import logging
import os
import socket
import sys
import traceback
from concurrent.futures import Executor, wait
from contextlib import suppress
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..common.errors import UserError, first_line

# Seconds for the headers of a request, and for answers under way when the server ends.
WITHIN, LAST = 10, 1
# Connections at a time, fewer than the files that most systems let a process open.
CONNECTIONS = 800


class Protocol(H11Protocol):
    """Closes a connection whose headers are not complete in time, or that goes on sending after it has its
    answer; uvicorn would wait for ever."""

    timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.watch(False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.watch(self.conn.their_state is h11.IDLE or self.conn.our_state is h11.DONE)

    def watch(self, incomplete: bool = True) -> None:
        """Start the clock, unless it runs, while a request is incomplete that must not be; else stop it."""
        if not incomplete and self.timer is not None:
            self.timer.cancel()
            self.timer = None
        elif incomplete and self.timer is None:
            self.timer = self.loop.call_later(WITHIN, self.transport.close)


class WithoutTexts(logging.Formatter):
    """Formats an exception without its message, which can quote a text."""

    def formatException(self, ei: Any) -> str:
        frames = "".join(traceback.format_tb(ei[2]))
        return f"{frames}{ei[0].__module__}.{ei[0].__name__}"


def without_query(record: logging.LogRecord) -> bool:
    """Take the query off a line of uvicorn's access log."""
    address, method, path, *rest = record.args
    record.args = (address, method, path.partition("?")[0], *rest)
    return True


def set_up_logs() -> None:
    """Log requests and errors to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(WithoutTexts("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    access = logging.getLogger("uvicorn.access")
    access.setLevel(logging.INFO)
    access.addFilter(without_query)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 is any free one. Raises UserError, for a port that is taken
    or a host that is not of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        # Python adds the address to the reason; errors of names have negative numbers.
        named = error.errno is None or error.errno < 0
        reason = first_line(error) if named else os.strerror(error.errno)
        raise UserError(
            f"{host}, port {port}: {reason}; choose others with --host and --port."
        ) from error


def server(app: ASGIApp) -> uvicorn.Server:
    """Return a server for an application."""
    return uvicorn.Server(
        uvicorn.Config(
            app, http=Protocol, ws="none", lifespan="on", log_config=None, server_header=False,
            proxy_headers=False, limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=LAST,
        )
    )  # fmt: skip


def run(app: ASGIApp, listening: socket.socket, thread: Executor) -> None:
    """Serve an application until Ctrl-C. thread: what annotates."""
    set_up_logs()
    with suppress(KeyboardInterrupt):
        server(app).run(sockets=[listening])
    end(thread)


def end(thread: Executor) -> None:
    """End the thread that annotates, or else the process: Python would wait for a text that nobody
    waits for."""
    idle = thread.submit(bool)
    thread.shutdown(wait=False)
    if wait([idle], LAST).not_done:
        sys.stderr.flush()
        os._exit(0)
