"""The server: uvicorn in one process, which ends when it is told to, and loses no request then."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from basketwise.errors import ConfigError
from basketwise.memory import keep_memory
from basketwise.serving.http.connections import connection_type
from basketwise.serving.http.limits import MAX_HEAD, Limits
from basketwise.serving.http.service import Service

BACKLOG = 512
KEEP_ALIVE_SECONDS = 75
"""Longer than load balancers keep a connection (60 seconds): else they send into a closed one."""

LAST_CALL_SECONDS = 0.5
"""After SIGTERM, so long are connections still taken: they were made before the news of it."""

TURNS_TO_CONNECT = 3
"""Turns of the loop after which a connection that asyncio has taken is one of the server's."""

DRAIN_SECONDS = 20
"""So long may requests take that are being answered then; after 30 seconds, Kubernetes kills."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises
    ------
    ConfigError
        If the address cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With its protocol named, asyncio sends small answers at once, not after 40 ms.
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"Port {port} of {host!r} cannot be listened on: {reason}.",
            "Choose another --host or --port; something else may be listening there.",
        ) from error
    return sock


def _taken(sock: socket.socket) -> Iterator[socket.socket]:
    """Yield the connections that wait to be taken."""
    while True:
        try:
            connection, _ = sock.accept()
        except OSError:
            return
        connection.setblocking(False)
        yield connection


class Server(uvicorn.Server):
    """Runs an application on a socket until it is told to end."""

    def __init__(self, app: ASGIApp, service: Service, limits: Limits) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=connection_type(limits),
                ws="none",
                lifespan="on",
                log_config=None,
                # What is no HTTP is answered, and no line in the log for whoever sends it.
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                h11_max_incomplete_event_size=MAX_HEAD,
            )
        )
        self.service = service
        self._ending: float | None = None

    def serve_on(self, sock: socket.socket, started: Callable[[], None] | None = None) -> bool:
        """Serve until the end; whether every request that was taken was answered.

        ``started`` is called when connections are taken.
        """
        keep_memory()
        asyncio.run(self._run(sock, started))
        return self.service.close()

    async def _run(self, sock: socket.socket, started: Callable[[], None] | None) -> None:
        # The first prediction takes longest; nobody waits for it yet.
        await self.service.health.is_healthy()
        if started:
            asyncio.get_running_loop().call_soon(started)
        await self.serve(sockets=[sock])

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGINT and SIGTERM, as something that was asked for: uvicorn would raise them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say at once that nothing new is to be sent here, and end soon."""
        again, self.service.draining = self.service.draining, True
        if sig == signal.SIGINT:
            self.should_exit = True
            self.force_exit = again
        elif not again:
            loop = asyncio.get_running_loop()
            loop.call_soon_threadsafe(loop.call_later, LAST_CALL_SECONDS, self.end)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer whom the system has connected already, and then end as uvicorn does.

        A listening socket that is closed resets the connections that nobody has taken yet.
        """
        loop = asyncio.get_running_loop()
        for sock in sockets or []:
            loop.remove_reader(sock)
        for _ in range(TURNS_TO_CONNECT):
            await asyncio.sleep(0)
        waiting = [connection for sock in sockets or [] for connection in _taken(sock)]
        for server in self.servers:
            server.close()
        for connection in waiting:
            with contextlib.suppress(OSError):
                await loop.connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        """Return what handles a connection, as uvicorn makes it."""
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def end(self) -> None:
        """Take no more connections; what is being answered is answered."""
        self.service.draining = True
        self.should_exit = True
