"""Lets the model read the prompt of a request that is expected, for clients that say so."""

from __future__ import annotations

import asyncio
import threading

from fim_lsp.completion.gate import silence_of
from fim_lsp.completion.generator import Generator
from fim_lsp.completion.inputs import Inputs
from fim_lsp.completion.reasons import RequestOutcome
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.completion.trace import RequestLog, RequestTrace
from fim_lsp.model_host.hang_watch import Patience
from fim_lsp.model_host.host import ModelHost
from fim_lsp.workspace.project import Project


class ReadAhead:
    """Reads prompts for one editor, and writes nothing."""

    def __init__(
        self, host: ModelHost, generator: Generator, project: Project, log: RequestLog
    ) -> None:
        """Takes the shared model, and what the editor has of its own."""
        self._host = host
        self._generator = generator
        self._project = project
        self._log = log

    async def run(self, request: CompletionRequest) -> RequestTrace:
        """Returns when the model has read the prompt of a request, or there is a reason not to.

        Raises:
            asyncio.CancelledError: nobody waits any more; reading has been stopped.
            ModelRuntimeError: the engine failed.
        """
        trace = RequestTrace(request.snapshot.uri, request.trigger, outcome=RequestOutcome.FAILED)
        cancel = threading.Event()
        try:
            if (silence := silence_of(request, self._host)) is not None:
                trace.reject(silence)
                return trace
            inputs = Inputs.of(request, self._host, self._project)
            with trace.timings.step("read"):
                await self._host.run(self._generator.prefill(inputs, cancel), Patience(cancel))
            trace.outcome = RequestOutcome.READ
            return trace
        except asyncio.CancelledError:
            trace.outcome = RequestOutcome.CANCELLED
            raise
        finally:
            cancel.set()
            trace.finish()
            self._log.add(trace)
