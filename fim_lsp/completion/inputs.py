"""Collects all that the answer to a request depends on, once, on the event loop."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from fim_lsp.completion.cache import CacheKey
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.context import NO_CONTEXT, CrossFileContext, sources_of
from fim_lsp.model_host.host import ModelHost
from fim_lsp.workspace.project import Project
from model_runtime.served_model import ServedModel


@dataclass(frozen=True, slots=True)
class Inputs:
    """A request, the model that answers it, and what of the project the model may see."""

    request: CompletionRequest
    model: ServedModel
    context: CrossFileContext
    key: CacheKey

    @classmethod
    def of(cls, request: CompletionRequest, host: ModelHost, project: Project) -> Inputs:
        """Returns the inputs of a request as things stand now.

        Args:
            request: what is asked for; `silence_of` has nothing against it.
            host: has a model.
            project: has the files beside the document.
        """
        model = host.loaded
        assert model is not None  # else there was a reason for silence
        context = _context_of(request, model, project)
        snapshot = request.snapshot
        hole = snapshot.hole
        context_key = (
            request.settings,
            model.identity,
            request.selected,
            request.stop_strings,
            context.key(snapshot),
        )
        key = CacheKey(snapshot.uri, hole.prefix, hole.suffix, context_key)
        return cls(request, model, context, key)


def _context_of(
    request: CompletionRequest, model: ServedModel, project: Project
) -> CrossFileContext:
    wanted = request.settings.cross_file_context
    sources = sources_of(model.context_sources if wanted == "auto" else wanted)
    if not sources:
        return NO_CONTEXT
    return CrossFileContext(
        tuple(request.other_documents()),
        partial(project.files, request.snapshot.uri),
        sources,
        project.index.version,
    )
