"""Chooses, adds, lists and offers models for all editors of a process."""

from __future__ import annotations

import asyncio
import logging
from datetime import date
from functools import partial
from typing import Any

from fim_lsp.background import in_a_daemon_thread
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_offers import answers, listing
from fim_lsp.model_offers.adder import ModelAdder, is_usable
from fim_lsp.model_offers.errors import AddingFailed
from fim_lsp.model_offers.offer import Offer, OfferFacts, offer_of, why_not
from fim_lsp.settings import Settings
from model_runtime.store import choice
from model_runtime.store.names import AUTO

logger = logging.getLogger(__name__)

_WATCH_SECONDS = 3.0
"""Time after which a model is used that was chosen in another process."""
_QUIET_SECONDS = 3.0
"""Time without work before anything is offered, which takes a second of measuring."""


class ModelManager:
    """Holds what all sessions share of the models.  Belongs to the event loop's thread.

    Whatever asks the disk or measures runs in threads, and a model is added by another process.
    """

    def __init__(self, host: ModelHost) -> None:
        """Takes the host of the model that answers."""
        self._host = host
        self.adder = ModelAdder()
        """Adds models, and tells how far that is."""
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Takes over what other processes choose, from now on."""
        self._watch = asyncio.ensure_future(self._follow_the_choice())

    def close(self) -> None:
        """Ends what runs."""
        self.adder.cancel()
        if self._watch is not None:
            self._watch.cancel()

    async def models(self) -> dict[str, Any]:
        """Returns the models that are installed and those that can be had, as JSON."""
        installed = await in_a_daemon_thread(partial(listing.installed_models, self._host.in_use))
        names = {row["name"] for row in installed}
        available = await in_a_daemon_thread(partial(listing.available_models, names))
        return {"installed": installed, "available": available}

    async def use(self, name: str) -> str:
        """Chooses a model on this machine; returns what keeps it from being used, or nothing.

        Raises:
            ModelRuntimeError: there is no such model, it cannot be used, or not be remembered.
        """
        await in_a_daemon_thread(partial(_choose, name))
        self._host.choose(name)
        asked_for = self._host.asked_for
        if asked_for in ("", AUTO, name):
            return ""
        return f"{name} is chosen, but the setting `model` says {asked_for}; set it to auto"

    async def add(self, name: str, *, accepts_license: bool) -> str:
        """Adds a model of the catalogue and chooses it; returns what keeps it from being used.

        Raises:
            AddingFailed, ModelRuntimeError: it was not added, or cannot be used.
            AddingCancelled: somebody has stopped it.
        """
        await in_a_daemon_thread(partial(_check, name, accepts_license))
        await self.adder.add(name)
        return await self.use(name)

    async def accept(self, offer: Offer) -> str:
        """Adds the model of an offer as `add` does; one that is there by now is only chosen."""
        if await in_a_daemon_thread(partial(is_usable, offer.model)):
            return await self.use(offer.model)
        return await self.add(offer.model, accepts_license=True)

    async def quiet(self) -> None:
        """Waits until the model is loaded and has had nothing to do for a few seconds."""
        changed = asyncio.Event()
        stop = self._host.subscribe(lambda status: changed.set())
        try:
            while True:
                changed.clear()
                is_ready = self._host.status.state == "ready"
                try:
                    await asyncio.wait_for(changed.wait(), _QUIET_SECONDS if is_ready else None)
                except asyncio.TimeoutError:
                    return
        finally:
            stop()

    async def offer(self, settings: Settings) -> Offer | None:
        """Returns the offer to make now, and remembers that it was made; None for none."""
        if self.adder.current is not None:
            return None
        return await in_a_daemon_thread(partial(_offer, settings, self._host.in_use))

    async def offer_no_more(self) -> None:
        """Remembers that the user wants no offers."""
        if not await in_a_daemon_thread(answers.note_never):
            logger.warning("that no model is to be offered could not be written down")

    async def _follow_the_choice(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            name = await in_a_daemon_thread(partial(choice.resolved, AUTO))
            if name != self._host.chosen:
                logger.info("another model was chosen elsewhere")
                self._host.choose(name)


def _choose(name: str) -> None:
    from model_runtime.store import installed

    installed.find(name)
    choice.choose_model(name)


def _check(name: str, accepts_license: bool) -> None:
    from model_runtime.catalogue.entries import find_model

    model = find_model(name)
    if model is None:
        raise AddingFailed(
            f"the catalogue has no model {name!r}; fim-runtime models available lists what it has"
        )
    if not model.is_permissive and not accepts_license:
        raise AddingFailed(
            f"{name} has a license with conditions ({model.license}); read {model.license_url}, "
            "and accept it to go on"
        )


def _offer(settings: Settings, in_use: str) -> Offer | None:
    from model_runtime.store import installed

    facts = OfferFacts(
        setting=settings.model,
        is_allowed=settings.offer_models,
        in_use=in_use,
        installed=[entry.name for entry in installed.list_models()],
        answers=answers.read(),
        today=date.today(),
    )
    reason = why_not(facts)
    offer = None if reason else offer_of(listing.assessments())
    if offer is None:
        logger.info("no model is offered: %s", reason or "none of the catalogue suits this machine")
    elif not answers.note_asked(facts.today):
        logger.info("no model is offered: another editor asks, or it cannot be written down")
        return None
    return offer
