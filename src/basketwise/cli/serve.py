"""``basketwise serve``."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from basketwise.cli.options import HISTORY_OPTION, MODEL_OPTION, Common, common
from basketwise.cli.output import print_json
from basketwise.errors import DependencyError
from basketwise.memory import collect_usually
from basketwise.redaction import redacted
from basketwise.terminal import printable

if TYPE_CHECKING:
    from basketwise.serving.http.limits import Limits

INSTALL = "pip install 'basketwise[serve]'"


@click.command()
@MODEL_OPTION
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8080,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--token-file",
    envvar="BASKETWISE_SERVE_TOKEN_FILE",
    metavar="FILE",
    help="The token that requests must bring. Default: BASKETWISE_SERVE_TOKEN.",
)
@click.option("--no-auth", is_flag=True, help="Answer whoever reaches the server, without a token.")
@click.option("--allow-unapproved", is_flag=True, help="Serve a version that is not approved.")
@HISTORY_OPTION
@click.option(
    "--max-body",
    type=click.IntRange(1, 1024),
    default=25,
    show_default=True,
    metavar="MIB",
    help="The largest request; baskets and lines are bounded with it.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Requests that are scored at a time. Default: the number of cores, 2 to 4.",
)
@click.option(
    "--queue",
    type=click.IntRange(0, 10_000),
    default=16,
    show_default=True,
    metavar="N",
    help="Requests that may wait; more are refused at once.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that answer; each has the model, and counters of its own.",
)
@click.option(
    "--watch",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How often the registry is asked for another champion; 0: never.",
)
@click.option(
    "--prediction-log",
    metavar="FOLDER",
    help="Store a row for each scored basket there, as Parquet, for monitoring.",
)
@click.option(
    "--prediction-log-key",
    metavar="FILE",
    help="A secret: baskets are logged under a hash with it, instead of their ids.",
)
@click.option("--log-requests", is_flag=True, help="Log every request, not only those refused.")
@common
def serve(
    model: str,
    host: str,
    port: int,
    token_file: str | None,
    no_auth: bool,
    allow_unapproved: bool,
    history: str | None,
    max_body: int,
    concurrency: int | None,
    queue: int,
    workers: int,
    watch: float,
    prediction_log: str | None,
    prediction_log_key: str | None,
    log_requests: bool,
    common: Common,
) -> None:
    """Answer requests over HTTP with the approved model."""
    try:
        from basketwise.serving.http.app import create_app
        from basketwise.serving.http.server import Server, listen
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("basketwise"):
            raise
        raise DependencyError(
            f"Serving needs the package {error.name}.", f"Install it: {INSTALL}"
        ) from error
    from basketwise.run.workspace import open_workspace
    from basketwise.serving.http.auth import auth_for
    from basketwise.serving.http.prediction_log import open_log
    from basketwise.serving.http.served import Current, open_served
    from basketwise.serving.http.service import Service
    from basketwise.serving.http.watching import watcher_of
    from basketwise.serving.http.workers import (
        end_with_parent,
        inherited_socket,
        is_announcing,
        run_workers,
    )
    from basketwise.storage.opening import local_copy

    auth = auth_for(host, Path(token_file) if token_file else None, no_auth=no_auth)
    limits = _limits(max_body, concurrency, queue)
    sock = inherited_socket()
    if sock is None and workers > 1:
        command = [sys.executable, "-m", "basketwise", *sys.argv[1:]]
        sys.exit(run_workers(listen(host, port), workers, command, say))
    end_with_parent()
    config = common.config()
    known = Path(local_copy(history, config.aws)).expanduser() if history else None
    storage = open_workspace(common.workspace, config.aws).storage
    served = open_served(config, storage, model, known, allow_unapproved=allow_unapproved)
    log = open_log(prediction_log, prediction_log_key, say) if prediction_log else None
    current = Current(served)
    watcher = watcher_of(
        current, config, storage, model, known, say, allow_unapproved=allow_unapproved
    )
    service = Service(current, limits, observe=log.put if log else None)
    app = create_app(service, auth, log_requests=log_requests)
    sock = sock or listen(host, port)
    address, number = sock.getsockname()[:2]
    url = f"http://{f'[{address}]' if ':' in address else address}:{number}"

    def announce() -> None:
        # What stays until the end is not searched for garbage again and again.
        gc.collect()
        gc.freeze()
        collect_usually()
        if not is_announcing():
            return
        if common.as_json:
            print_json({"url": url, "token": auth.token is not None, **served.identity})
            sys.stdout.flush()
        say(f"Serving {served.name} at {url}; Ctrl-C ends it.")

    if watcher is not None and watch > 0:
        watcher.start(watch)
    drained = Server(app, service, limits).serve_on(sock, announce)
    if watcher is not None:
        watcher.stop()
    if log is not None:
        log.close()
    if not drained:
        # Python would wait for the threads, whose clients have been told already.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def say(text: str) -> None:
    """Write a line to stderr, where a server's log is."""
    click.echo(printable(redacted(text)), err=True)


def _limits(max_body: int, concurrency: int | None, queue: int) -> Limits:
    from basketwise.serving.http.limits import MEBIBYTE, Limits, bounds_of

    body = max_body * MEBIBYTE
    limits = Limits(body=body, waiting=queue, bodies=8 * body, bounds=bounds_of(body))
    if concurrency is None:
        return limits
    from dataclasses import replace

    return replace(limits, concurrency=concurrency)
