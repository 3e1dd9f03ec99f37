"""Workers of the embedded runner that a fork server forks: Beam's environment of them, and its handler of each.

Beam's own handler has a shell start an interpreter; this one asks the server of this pipeline. What a worker logs is
dropped, as it is at the level that `pipelines.beam.runner` sets: its errors come as the pipeline's.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from apache_beam.portability.api import endpoints_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import GrpcWorkerHandler, WorkerHandler
from apache_beam.transforms.environments import Environment, python_sdk_capabilities
from google.protobuf import json_format, text_format  # type: ignore[import-untyped, unused-ignore]

from corpus.stage.events import forget_listeners
from pipelines.beam.forks import ForkServer, start_server
from pipelines.beam.lean_import import beam_import
from pipelines.beam.worker import COMMAND, reach_the_owner_directly

URN: Final = "corpuscle:env:forked_python:v1"
_servers: dict[bytes, ForkServer] = {}


@contextmanager
def forking() -> Iterator[ForkServer | None]:
    """Yield a fork server for one pipeline, None where this process may not fork; its CPU seconds are counted after."""
    server = start_server(_work, _prepare)
    if server is None:
        yield None
        return
    _servers[server.name] = server
    try:
        yield server
    except BaseException:
        server.close(kill=True)
        raise
    else:
        server.close()
    finally:
        del _servers[server.name]


@Environment.register_urn(URN, bytes)
class ForkedEnvironment(Environment):
    """Beam's environment of workers that a server forks, which it is known by."""

    def __init__(self, server: bytes) -> None:
        super().__init__(python_sdk_capabilities(), ())
        self.server = server

    def to_runner_api_parameter(self, context: Any) -> tuple[str, bytes]:
        """Return the kind's name, and which server."""
        return URN, self.server

    @staticmethod
    def from_runner_api_parameter(payload: bytes, *others: Any) -> "ForkedEnvironment":
        """Return the environment of this server."""
        return ForkedEnvironment(payload)


@WorkerHandler.register_environment(URN, bytes)
class ForkedWorkerHandler(GrpcWorkerHandler):
    """Beam's handler of one worker: its control channel, and the thread that waits for its end."""

    def __init__(self, server: bytes, state: Any, provision_info: Any, grpc_server: Any) -> None:
        super().__init__(state, provision_info, grpc_server)
        self._server = _servers[server]
        self._thread = threading.Thread(target=self._run, name="run_worker")

    def start_worker(self) -> None:
        """Have the worker forked, and wait for its end in a thread."""
        self._thread.start()

    def stop_worker(self) -> None:
        """Wait until the worker has ended, which it does without its channel."""
        self._thread.join()

    def _run(self) -> None:
        control = endpoints_pb2.ApiServiceDescriptor(url=self.control_address)
        facts = {
            "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(control),
            "PIPELINE_OPTIONS": json_format.MessageToJson(self.provision_info.provision_info.pipeline_options),
            "WORKER_ID": self.worker_id,
            COMMAND: str(os.getpid()),
        }
        if self._server.run_worker({**os.environ, **facts}):
            self._server.worker_died.set()


def _prepare() -> None:
    """Load in the server what all its workers need."""
    forget_listeners()  # the command tells its events itself
    with beam_import(connectors=False):
        from apache_beam.runners.worker import sdk_worker_main  # noqa: F401


def _work() -> None:
    """Work for the command in a forked process until it has no more work."""
    from apache_beam.runners.worker import sdk_worker_main

    logging.getLogger().addHandler(logging.NullHandler())
    reach_the_owner_directly()
    sdk_worker_main.main([])
