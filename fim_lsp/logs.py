"""Sends log lines to a file in the platform's log folder, and problems to standard error."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path

_MAX_BYTES = 2_000_000


def default_log_file() -> Path:
    """Returns the file that `--log-file` replaces."""
    from platformdirs import user_log_path

    return user_log_path("fim-lsp", appauthor=False) / "fim-lsp.log"


def configure(level: str, file: Path | None = None) -> None:
    """Sets up logging for a server; a folder that cannot be written costs the file alone."""
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    stderr = logging.StreamHandler(sys.stderr)
    if not sys.stderr.isatty():
        stderr.setLevel(logging.WARNING)  # Neovim files every line of it as an error
    handlers: list[logging.Handler] = [stderr]
    path = file or default_log_file()
    problem: OSError | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(
                path, maxBytes=_MAX_BYTES, backupCount=1, encoding="utf-8"
            )
        )
    except OSError as error:
        problem = error
    for handler in handlers:
        handler.setFormatter(form)
    logging.basicConfig(level=level.upper(), handlers=handlers, force=True)
    quietest = max(logging.getLogger().level, logging.WARNING)
    logging.getLogger("pygls").setLevel(quietest)
    if problem is not None:
        logging.getLogger(__name__).warning("no log file: %s", problem)
