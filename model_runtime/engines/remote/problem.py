"""Holds what goes wrong with a server, as the modules of this package tell each other."""

from __future__ import annotations


class ServerProblem(Exception):
    """A request that came to nothing; the message is one sentence, and quotes no prompt."""

    def __init__(
        self,
        message: str,
        *,
        is_lasting: bool = False,
        status: int = 0,
        retry_after: float | None = None,
    ) -> None:
        """Takes what happened.

        Args:
            message: one sentence that names the server.
            is_lasting: whether asking again changes nothing, so that the user must.
            status: of HTTP; 0 where no answer came.
            retry_after: seconds after which the server wants to be asked again.
        """
        super().__init__(message)
        self.is_lasting = is_lasting
        self.status = status
        self.retry_after = retry_after


class Cancelled(Exception):
    """A request was cancelled before its answer ended."""
