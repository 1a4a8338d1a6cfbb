"""Offers a better model to the user of one client, once, and adds it where the answer is yes."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from fim_lsp.errors import FimLspError
from fim_lsp.lsp.adding_progress import shown_progress
from fim_lsp.lsp.fields import field_at
from fim_lsp.lsp.session import FimServer
from fim_lsp.model_offers.errors import AddingCancelled
from fim_lsp.model_offers.offer import Offer
from model_runtime.errors import ModelRuntimeError

logger = logging.getLogger(__name__)

NOT_NOW = "Not now"
NEVER = "Never"
AGAIN = "Try again"


def shows_actions(client_capabilities: object) -> bool:
    """Tells whether a client shows messages with actions to choose from."""
    found = field_at(client_capabilities, "window", "showMessage", "messageActionItem")
    return isinstance(found, Mapping)


async def offer_a_model(server: FimServer) -> None:
    """Asks the user when there is nothing else to do, if there is anything to offer at all."""
    if not server.can_ask:
        logger.info("no model is offered: the client shows no questions")
        return
    await server.models.quiet()
    offer = await server.models.offer(server.settings)
    if offer is None:
        return
    logger.info("the model %s is offered", offer.model)
    answer = await _ask(server, lsp.MessageType.Info, offer.text, offer.accept, NOT_NOW, NEVER)
    logger.info("the answer to the offer is %s", answer or "none")
    if answer == NEVER:
        await server.models.offer_no_more()
    elif answer == offer.accept:
        await _add(server, offer)


async def _add(server: FimServer, offer: Offer) -> None:
    """Adds the model, again for as long as it fails and the user wants that."""
    answer = AGAIN
    while answer == AGAIN:
        try:
            async with shown_progress(server, offer.model):
                message = await server.models.accept(offer)
        except AddingCancelled:
            return
        except (FimLspError, ModelRuntimeError) as error:
            logger.warning("the model %s was not added: %s", offer.model, error)
            text = f"{offer.model} was not added: {error}"
            answer = await _ask(server, lsp.MessageType.Error, text, AGAIN)
        else:
            if message:
                server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, message))
            return


async def _ask(server: FimServer, kind: lsp.MessageType, text: str, *labels: str) -> str:
    """Returns the label that the user has chosen; empty for none."""
    actions = [lsp.MessageActionItem(label) for label in labels]
    try:
        answer = await server.protocol.send_request_async(
            lsp.WINDOW_SHOW_MESSAGE_REQUEST, lsp.ShowMessageRequestParams(kind, text, actions)
        )
    except JsonRpcException as error:
        logger.info("the client asks its user nothing: %s", error)
        return ""
    return str(field_at(answer, "title") or "")
