"""Makes pygls follow the standard of JSON-RPC; all that overrides its private names is here.

The versions of pygls that this was proven with are in `PROVEN_WITH`.  Where 2.1 falls short:

* A request that does not fit its type is answered (-32602); pygls lets the client wait for ever.
* So are requests before `initialize` (-32002) and after `shutdown` (-32600), and those whose method
  is one of a notification (-32600).
* An error carries code and message; pygls adds a traceback with the paths of this machine.
* Only the outermost object is a message; pygls takes any object with a key "jsonrpc" for one.
* A late reply to a request of ours that was cancelled is dropped; in pygls it is an error (#621).
* Nothing that is sent is logged; pygls logs all of it, code included.
* A message that was handled leaves nothing behind; pygls keeps a future of each notification.
* `exit` sets `exit_code`, and the read loop leaves; pygls raises SystemExit wherever it is.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar, copy_context
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInternalError,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcMethodNotFound,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    LanguageServerProtocol,
    lsp_method,
)

from fim_lsp.lsp.document_workspace import WorkspaceOfDocuments
from fim_lsp.lsp.message_types import (
    error_of,
    explain_misfit,
    is_id,
    kind_of,
    needed_of_initialize,
)

logger = logging.getLogger(__name__)

PROVEN_WITH = ("2.1.1",)
"""Versions of pygls with which all tests of the protocol passed; its private names may change."""

_raw_params: ContextVar[Mapping[str, Any]] = ContextVar("raw_params")


class FimProtocol(LanguageServerProtocol):
    """The conversation with one client."""

    exit_code: int | None = None
    """Set when the client said `exit`: 0 after `shutdown`, 1 without (LSP 3.18, "Exit")."""

    def receive(self, body: bytes) -> None:
        """Handles one message; whatever is wrong with it is answered or logged, never raised."""
        try:
            self._receive(body)
        except MemoryError:
            logger.error("there is no memory for a message of %d bytes", len(body))
        except Exception:
            logger.exception("a message of %d bytes could not be handled", len(body))

    @property
    def raw_params(self) -> Mapping[str, Any]:
        """Parameters of the message being handled, unknown fields included."""
        return _raw_params.get({})

    @property
    def is_shut_down(self) -> bool:
        """Whether the client has sent `shutdown`; only `exit` may follow."""
        return self._shutdown

    @property
    def num_pending_requests(self) -> int:
        """Requests of both sides that are not answered yet."""
        return len(self._request_futures)

    def cancel_requests(self) -> None:
        """Gives up all that is pending, on both sides."""
        for future in list(self._request_futures.values()):
            future.cancel()

    def replace_workspace(self, workspace: WorkspaceOfDocuments) -> None:
        """Keeps documents in another workspace than the one that pygls has made."""
        self._workspace = workspace

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Returns the message, typed where the standard knows its method, raw otherwise.

        Raises:
            JsonRpcException: the refusal to answer with when there is no such object.
        """
        if data.get("jsonrpc") != self.VERSION:
            raise JsonRpcInvalidRequest("jsonrpc must be 2.0")
        if "method" not in data:
            return self._response(data)
        method = data["method"]
        known = self.get_message_type(method) if isinstance(method, str) else None
        if method == lsp.INITIALIZE:
            data = needed_of_initialize(data)
        is_notification = known is not None and lsp.METHOD_TO_TYPES[method][1] is None
        if is_notification and method != lsp.EXIT and is_id(data.get("id")):
            # Its sender waits for an answer.
            raise JsonRpcInvalidRequest(f"{method} is a notification, which has no id")
        if "id" in data and not is_notification and not is_id(data["id"]):
            raise JsonRpcInvalidRequest("id must be a whole number or a string")
        try:
            if known is not None:
                return self._converter.structure(data, known)
        except Exception as error:
            raise JsonRpcInvalidParams(explain_misfit(error)) from error
        if not isinstance(method, str):
            raise JsonRpcInvalidRequest("method must be a string")
        params = data.get("params")
        if "id" not in data:
            return JsonRPCNotification(method, self.VERSION, params)
        return JsonRPCRequestMessage(data["id"], method, self.VERSION, params)

    def handle_message(self, message: Any) -> None:
        """Runs the handler of a message; pygls finds out its kind in a tenth of a millisecond."""
        run, method = copy_context().run, getattr(message, "method", None)
        if method is None:
            found, error = (getattr(message, name, None) for name in ("result", "error"))
            run(self._handle_response, message.id, found, error)
        elif hasattr(message, "id"):
            run(self._handle_request, message.id, method, message.params)
        else:
            run(self._handle_notification, method, message.params)

    def get_message_type(  # type: ignore[override]
        self, method: str
    ) -> type[Any] | None:
        """Returns the type of a method's messages; pygls' own cache keeps connections alive."""
        return lsp.METHOD_TO_TYPES.get(method, (None,))[0]

    @lsp_method(lsp.SHUTDOWN)
    def lsp_shutdown(self, *_: Any) -> None:  # type: ignore[override]
        """Answers what is pending, and takes no more requests."""
        self._shutdown = True
        self.cancel_requests()

    @lsp_method(lsp.EXIT)
    def lsp_exit(self, *_: Any) -> None:  # type: ignore[override]
        """Ends the conversation."""
        self.exit_code = 0 if self._shutdown else 1

    def _execute_handler(
        self,
        msg_id: str | int,
        handler: Any,
        callback: Callable[[Any], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Forgets what is done, unlike pygls: kept, each key would cost kilobytes."""

        def done(future: Any) -> None:
            self._request_futures.pop(msg_id, None)
            callback(future)

        super()._execute_handler(msg_id, handler, done, args, kwargs)

    def _send_handler_result(self, future: Any, *, msg_id: Any) -> None:
        """Answers a request; a refusal is a line in the log, where pygls writes a traceback."""
        error = None if future.cancelled() else future.exception()
        if isinstance(error, JsonRpcException):
            logger.warning("request %s refused: %s", msg_id, error)
            self._send_response(msg_id, error=error.to_response_error())
        else:
            super()._send_handler_result(future, msg_id=msg_id)

    def _receive(self, body: bytes) -> None:
        try:
            data = json.loads(body)
        except (ValueError, RecursionError) as error:
            # No answer: the specification wants one with the id null, which stops Neovim's client.
            logger.warning("a message of %d bytes is not JSON: %s", len(body), kind_of(error))
            return
        if not isinstance(data, dict):
            logger.warning("a message is not a JSON object; batches are not part of LSP")
            return
        try:
            if not self._may_be_handled(data):
                return
            message = self.structure_message(data)
        except JsonRpcException as error:
            self._refuse(data, error)
            return
        params = data.get("params")
        token = _raw_params.set(params if isinstance(params, dict) else {})
        try:
            self.handle_message(message)
        finally:
            _raw_params.reset(token)

    def _may_be_handled(self, data: dict[str, Any]) -> bool:
        """Tells whether a message fits the state of the conversation; False to drop it.

        Raises:
            JsonRpcException: the refusal that the specification asks for.
        """
        method, is_request = data.get("method"), "id" in data
        if method in (None, lsp.EXIT):
            return True
        if self._workspace is None:
            if method == lsp.INITIALIZE:
                return True
            if is_request:
                raise JsonRpcServerNotInitialized("the first request must be initialize")
            return False
        if self._shutdown:
            if method == lsp.TEXT_DOCUMENT_INLINE_COMPLETION:
                self._send_response(data.get("id"), None)
            elif is_request:
                raise JsonRpcInvalidRequest("the server was shut down")
            return False
        if method == lsp.INITIALIZE:
            raise JsonRpcInvalidRequest("initialize may be sent only once")
        if self._knows(method):
            return True
        if is_request and isinstance(method, str):
            raise JsonRpcMethodNotFound.of(method)
        return is_request

    def _knows(self, method: Any) -> bool:
        return isinstance(method, str) and (
            method == lsp.CANCEL_REQUEST
            or method in self.fm.builtin_features
            or method in self.fm.features
        )

    def _refuse(self, data: dict[str, Any], error: JsonRpcException) -> None:
        # A method of a later standard is nobody's fault, and a client may ask at each key.
        level = logging.DEBUG if isinstance(error, JsonRpcMethodNotFound) else logging.WARNING
        logger.log(level, "message %s refused: %s", data.get("method"), error)
        if is_id(data.get("id")) and "method" in data:
            self._send_response(data["id"], error=error.to_response_error())

    def _response(self, data: dict[str, Any]) -> Any:
        """Returns the reply to a request of ours, its result raw, for clients differ in it."""
        if not is_id(data.get("id")):
            raise JsonRpcInvalidRequest("neither a request nor a reply")
        self._result_types.pop(data["id"], None)
        if data.get("error") is None:
            return JsonRPCResponseMessage(data["id"], self.VERSION, data.get("result"))
        return lsp.ResponseErrorMessage(id=data["id"], error=error_of(data["error"]))

    def _handle_cancel_notification(self, msg_id: Any) -> None:
        """Cancels a request; one that was answered meanwhile is nobody's fault."""
        if is_id(msg_id) and msg_id in self._request_futures:
            super()._handle_cancel_notification(msg_id)

    def _handle_response(
        self, msg_id: Any, result: Any | None = None, error: lsp.ResponseError | None = None
    ) -> None:
        future = self._request_futures.get(msg_id)
        if future is not None and future.done():
            # Cancelled on our side while it waited (pygls #621).
            del self._request_futures[msg_id]
            return
        super()._handle_response(msg_id, result, error)

    def _send_response(
        self, msg_id: Any, result: Any | None = None, error: lsp.ResponseError | None = None
    ) -> None:
        if error is not None:
            # What pygls puts into `data` is a traceback with paths of this machine.
            is_ours = error.code == JsonRpcInternalError.CODE
            text = "internal error; the server's log says more" if is_ours else error.message
            error = lsp.ResponseError(code=error.code, message=text)
        super()._send_response(msg_id, result, error)

    def _send_data(self, data: Any) -> None:
        if self.writer is None:
            return
        # ASCII: a lone surrogate in a result goes out as an escape, and cannot break the encoding.
        text = json.dumps(data, default=self._serialize_message)
        if "NaN" in text or "Infinity" in text:  # which Python writes, and no other parser reads
            text = json.dumps(json.loads(text, parse_constant=lambda _: None))
        body = text.encode("ascii")
        try:
            self.writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        except (OSError, ValueError) as error:  # ValueError: a closed file
            logger.info("the client is gone: %s", error)
            self.writer = None
