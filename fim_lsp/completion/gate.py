"""Decides which requests are answered with nothing before anything is computed, and why."""

from __future__ import annotations

from fim_lsp.completion.language_filters import is_inside_word
from fim_lsp.completion.reasons import Reason, Silence
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.exclusion.judge import is_excluded
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from model_runtime.prompt.format import HoleStart
from model_runtime.served_model import ServedModel


def silence_of(request: CompletionRequest, host: ModelHost) -> Silence | None:
    """Returns why a request is answered with nothing, whoever asks; None where a model can answer.

    Args:
        request: what is asked for.
        host: has the model, if it is loaded.
    """
    snapshot = request.snapshot
    silence = silence_of_document(snapshot.uri, snapshot.language_id, request.settings)
    return silence or _silence_of_host(host)


def silence_of_document(uri: str, language_id: str, settings: Settings) -> Silence | None:
    """Returns why a document is never completed under these settings; None where it is."""
    if not settings.enabled:
        return Silence(Reason.DISABLED)
    if not settings.is_language_enabled(language_id):
        return Silence(Reason.LANGUAGE_DISABLED, language=language_id)
    if exclusion := is_excluded(uri, settings.exclude):
        return Silence(Reason.EXCLUDED, exclusion=exclusion)
    return None


def _silence_of_host(host: ModelHost) -> Silence | None:
    if host.loaded is not None:
        return None
    status = host.status
    if status.state == "error":
        return Silence(Reason.ENGINE_ERROR, error=status.message)
    return Silence(Reason.LOADING, progress=status.progress)


def silence_of_language(language_id: str, settings: Settings, model: ServedModel) -> Silence | None:
    """Returns why typing gets nothing in a language; None where the model suggests in it.

    The model is rarely right in it, and the user has not switched it on all the same.
    """
    chosen = dict(settings.languages)
    if chosen.get(language_id, chosen.get("*", False)) or model.suggests_in(language_id):
        return None
    return Silence(Reason.NOT_LEARNED, language=language_id, model=model.name)


def silence_inside_word(request: CompletionRequest, model: ServedModel) -> Silence | None:
    """Returns why typing gets nothing inside a word, unless the model writes lines from the start.

    Such a model sees the beginning of the word, and is made to write it again.
    """
    sees_whole_words = model.encoder.hole_start is HoleStart.LINE
    if sees_whole_words or not request.is_typing or not is_inside_word(request.snapshot.hole):
        return None
    return Silence(Reason.INSIDE_WORD)
