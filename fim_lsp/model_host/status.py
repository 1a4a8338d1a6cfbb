"""The state of the model as everybody sees it: one frozen value, published at each change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from model_runtime.engines.abilities import KeptTexts, WeightForms
from model_runtime.served_model import ServedModel

State = Literal["starting", "ready", "busy", "error"]

_UNLOADED = "unloaded while idle; the next request loads it again"


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """Says which model is being loaded, and how far its preparation is."""

    model: str
    """Name of the model, as the settings have it."""
    step: str = ""
    """Preparation in words; empty where nothing is prepared."""
    percent: int | None = None
    """Share of the step that is done, 0 to 99; None where nothing is prepared."""

    @property
    def detail(self) -> str:
        """The step with its share, or the name of the model."""
        return f"{self.step}: {self.percent} %" if self.step else self.model

    @property
    def text(self) -> str:
        """Sentence for people that says the same."""
        return self.detail if self.step else f"loading {self.model}"


@dataclass(frozen=True, slots=True)
class ServerState:
    """Describes a server that runs the model."""

    place: str
    """The machine and the port, in words."""
    has_probabilities: bool
    """False where it does not tell how sure the model is, so that `eagerness` counts for nothing.
    """
    stops_abandoned: bool | None = None
    """Whether it stops with an answer that nobody waits for; None where it is not known."""

    @classmethod
    def of(cls, model: ServedModel | None) -> ServerState | None:
        """Returns the state of a model's server; None where it has none."""
        remote = model.remote if model is not None else None
        if remote is None:
            return None
        return cls(remote.server, remote.has_probabilities, remote.stops_abandoned)

    @property
    def text(self) -> str:
        """Sentence for people that says the same."""
        sent = "" if self.place.endswith("this machine") else ", to which your code is sent"
        unsure = (
            "" if self.has_probabilities else "; it tells no probabilities, so eagerness is off"
        )
        goes_on = (
            "; it goes on with answers that nobody waits for, so give it a second slot"
            if self.stops_abandoned is False
            else ""
        )
        return f"the model runs at {self.place}{sent}{unsure}{goes_on}"


@dataclass(frozen=True, slots=True)
class HostStatus:
    """Describes the model and what happens to it."""

    state: State = "starting"
    """`starting` without a model, `ready` and `busy` with one, `error` where none could be loaded
    or the engine hangs and may not be replaced.

    While another model loads beside the one that answers, the state is that of the latter.
    """
    model: str = ""
    """Name of the model that answers, or of the one that loads where none does."""
    engine: str = ""
    """Name of its engine, or the setting where it still loads."""
    message: str = ""
    """Text for people: what is going on, or what is wrong; empty where all is well."""
    warning: str = ""
    """Problem that did not stop completions, such as a fall-back; shown to the user once."""
    progress: LoadProgress | None = None
    """The load in progress; None where nothing is loading."""
    is_unloaded: bool = False
    """True while the model is out of memory, until the next request."""
    languages: tuple[str, ...] = ()
    """Languages in which the model suggests; empty where nothing is known of any."""
    kept_texts: KeptTexts | None = None
    """Memory of what the model has read, as of its last rest; None where the engine has none."""
    weight_forms: WeightForms | None = None
    """Forms of the weights in memory; None where the engine has no choice of them."""
    server: ServerState | None = None
    """The server that runs the model; None where it runs in this process."""


Subscriber = Callable[[HostStatus], None]


class StatusPublisher:
    """Holds the status, changes it, and tells its subscribers of each change."""

    def __init__(self) -> None:
        """Begins with a status that names no model."""
        self.current = HostStatus()
        self._subscribers: list[Subscriber] = []
        self._has_server_problem = self._is_lasting_problem = False

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Calls back at each change from now on; returns a function that stops it."""
        self._subscribers.append(subscriber)

        def stop() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return stop

    def change(self, **fields: Any) -> None:
        """Replaces fields of the status; publishes it if it differs then."""
        changed = replace(self.current, **fields)
        if changed != self.current:
            self.current = changed
            for subscriber in list(self._subscribers):
                subscriber(changed)

    def show_start(self, progress: LoadProgress, engine: str, warning: str) -> None:
        """Says that no model answers until the one that is being loaded is there."""
        self.change(
            state="starting",
            model=progress.model,
            engine=engine,
            message=progress.text,
            warning=warning,
            progress=progress,
            is_unloaded=False,
            languages=(),
            kept_texts=None,
            weight_forms=None,
            server=None,
        )

    def show_progress(self, progress: LoadProgress, warning: str) -> None:
        """Says how far the load in progress is."""
        self.change(message=progress.text, warning=warning, progress=progress)

    def show_model(self, model: ServedModel, *, is_busy: bool) -> None:
        """Says which model answers from now on."""
        warning = self.current.warning
        if model.remote is not None:
            warning = model.remote.problem or warning
        self.change(
            state="busy" if is_busy else "ready",
            model=model.name,
            engine=model.engine.name,
            warning=warning,
            message=warning or _note(model),
            progress=None,
            is_unloaded=False,
            languages=tuple(model.languages),
            kept_texts=model.kept_texts,
            weight_forms=model.weight_forms,
            server=ServerState.of(model),
        )

    def show_server_problem(self, problem: str, *, is_lasting: bool) -> None:
        """Says why the server of the model does not answer.

        The user is warned of an outage once, and again where they have to do something.
        """
        warning = self.current.warning
        if not self._has_server_problem or (is_lasting and not self._is_lasting_problem):
            warning = problem
        self._has_server_problem = True
        self._is_lasting_problem = self._is_lasting_problem or is_lasting
        self.change(message=problem, warning=warning)

    def show_failure(self, message: str) -> None:
        """Says why a model did not load; one that was loaded before goes on answering."""
        state = "error" if self.current.state == "starting" else self.current.state
        self.change(state=state, message=message, progress=None)

    def show_lost(self, message: str) -> None:
        """Says why the model that answered does not any more, and what to do."""
        self.change(state="error", message=message, is_unloaded=False, languages=())

    def show_unloaded(self, is_unloaded: bool) -> None:
        """Says whether the model is out of memory."""
        server = self.current.server
        note = self.current.warning or (server.text if server else "")
        message = _UNLOADED if is_unloaded else note
        self.change(message=message, is_unloaded=is_unloaded, kept_texts=None)

    def show_busy(self) -> None:
        """Says that the model works, where there is one that could."""
        if self.current.state == "ready":
            self.change(state="busy")

    def show_rest(self, model: ServedModel | None) -> None:
        """Says that the model has stopped working, and what it keeps, where there is one."""
        if self.current.state not in ("ready", "busy"):
            return
        fields: dict[str, Any] = {"kept_texts": model.kept_texts if model else None}
        if model is not None and model.remote is not None:
            fields["server"] = ServerState.of(model)
            if not model.remote.problem:
                self._has_server_problem = self._is_lasting_problem = False
                fields |= {"warning": "", "message": _note(model)}
        self.change(state="ready", **fields)

    async def settled(self) -> None:
        """Waits until there is a model, or none that could be loaded."""
        changed = asyncio.Event()
        stop = self.subscribe(lambda status: changed.set())
        try:
            while self.current.state == "starting":
                changed.clear()
                await changed.wait()
        finally:
            stop()

    def close(self) -> None:
        """Tells nobody any more."""
        self._subscribers.clear()


def _note(model: ServedModel) -> str:
    """Returns what there is to say of a model with which all is well."""
    server = ServerState.of(model)
    return "" if server is None else server.text
