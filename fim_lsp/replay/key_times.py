"""Types a few lines into the path of a completion, in this process, and times each key.

Everything runs as in the server but the protocol; nothing is taken, and no pause is waited for.
The document is one of this package's own modules, at whose middle the cursor begins, so that there
is as much text before and behind it as in a file that somebody works on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.completion.trace import AnsweredBy, RequestTrace
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.replay.user import key_of
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from model_runtime.machine.typed_keys import Key
from model_runtime.served_model import ServedModel

_PACKAGE, _MODULE = "fim_lsp.completion", "provider.py"


@dataclass(frozen=True, slots=True)
class KeyTime:
    """One key after which a text came."""

    milliseconds: float
    """Time from the request to its answer."""
    work: Key
    """Ids that the model read and wrote for it."""
    steps_ms: Mapping[str, float]
    """Milliseconds by the name of a step."""
    line: str
    """Text of the line before the suggestion."""
    text: str
    """First line of the suggestion."""


async def key_times(
    model: ServedModel,
    settings: Settings,
    *,
    keys: int,
    seconds: float,
    advance: Callable[[float], None] = lambda share: None,
) -> list[KeyTime]:
    """Returns the times of those keys after which a text came.

    The first key, for which the whole document is read, is not among them.

    Args:
        model: is closed afterwards.
        settings: of the user.
        keys: typed at most.
        seconds: time after which no further key is typed.
        advance: told which share of the keys is typed.
    """
    # What depends on the clock, or on what else this machine knows, would make each run another.
    settings = replace(
        settings,
        debounce_ms=0,
        time_limit_ms=0,
        idle_work=False,
        project_memory=False,
        learn_from_use=False,
        languages=(("*", True),),
    )
    host = ModelHost(load=lambda _: model)
    times: list[KeyTime] = []
    try:
        await host.ready(settings)
        provider = CompletionProvider(host)
        begun = time.perf_counter()
        for number, snapshot in enumerate(_typed(keys + 1)):
            started = time.perf_counter()
            if number > 1 and started - begun > seconds:
                break
            request = CompletionRequest(snapshot, Trigger.AUTOMATIC, settings)
            found = await provider.complete(request)
            milliseconds = (time.perf_counter() - started) * 1e3
            if number and found:
                (trace,) = provider.log.newest(limit=1)
                before, text = snapshot.text[: found[0].start], found[0].text
                times.append(
                    KeyTime(
                        milliseconds,
                        _work(trace),
                        dict(trace.timings.ms),
                        line=before.rpartition("\n")[2],
                        text=text.partition("\n")[0],
                    )
                )
            advance((number + 1) / (keys + 1))
        provider.close()
    finally:
        host.close()
    return times


def _work(trace: RequestTrace) -> Key:
    """Returns what the model did for a request: nothing where the text was known before."""
    decoding = trace.generation.decoding if trace.generation else None
    if decoding is None or trace.answered_by is not AnsweredBy.MODEL:
        return Key(0, 0)
    return Key(decoding.read_tokens, decoding.new_tokens, is_spelled=decoding.forced_tokens > 0)


def _typed(keys: int) -> Iterator[DocumentSnapshot]:
    """Yields the document after each key."""
    text = resources.files(_PACKAGE).joinpath(_MODULE).read_text(encoding="utf-8")
    start = text.index("\n", len(text) // 2) + 1
    before, rest = text[:start], text[start:]
    behind = rest[len(rest) // 4 :]
    for number in range(keys):
        key = key_of(rest)
        before, rest = before + key, rest[len(key) :]
        yield DocumentSnapshot(
            uri="untitled:doctor.py",
            language_id="python",
            version=number + 1,
            text=before + behind,
            offset=len(before),
        )
