"""Keeps the settings of one editor, and what there is to tell its user of them."""

from __future__ import annotations

import logging
from dataclasses import replace

from fim_lsp.lsp.fields import field_at
from fim_lsp.settings import Settings, section_of
from fim_lsp.workspace_settings import FROM_WORKSPACE, WORKSPACE_TRUSTED, allowed_to_a_folder

logger = logging.getLogger(__name__)


class EditorSettings:
    """The settings in force, and the problems of what the editor has sent."""

    def __init__(self, shared: Settings | None = None) -> None:
        """Begins with the defaults.

        Args:
            shared: settings of the process where it serves several editors, which may not change
                what all of them have in common; None where there is only this one.
        """
        self.now = shared or Settings()
        """Settings in force."""
        self._shared = shared
        self._initial = self.now
        self._problems: list[str] = []
        self._told_problems: set[str] = set()
        self._ignored: list[str] = []
        self._told_ignored: list[str] = []

    def begin(self, options: object) -> None:
        """Takes the settings of `initialize`; later ones replace them one by one."""
        found = section_of(options)
        self._initial = self._take(options if found is None else found, self.now)

    def change(self, section: object) -> None:
        """Takes new settings; what they do not name is as it was at `initialize`."""
        self._take(section, self._initial)

    def new_problems(self) -> str:
        """Returns what is wrong with the settings and was not yet told; empty for nothing."""
        new = [text for text in self._problems if text not in self._told_problems]
        self._told_problems = set(self._problems)
        return f"fim-lsp settings: {'; '.join(new)}" if new else ""

    def newly_ignored(self) -> str:
        """Returns which settings count for nothing, if that was not yet told; empty for none."""
        if self._ignored == self._told_ignored:
            return ""
        self._told_ignored = self._ignored
        return f"this server is shared; its command line decides on {', '.join(self._ignored)}"

    def _take(self, section: object, base: Settings) -> Settings:
        settings, problems = _parsed(section, base)
        if self._shared is not None:
            settings, ignored = settings.shared_with(self._shared)
            if ignored and ignored != self._ignored:
                logger.info("settings of an editor that count for none: %s", ", ".join(ignored))
            self._ignored = ignored or self._ignored
        for problem in problems:
            logger.warning("settings: %s", problem)
        self._problems = problems
        if settings.log_level != self.now.log_level:
            for name in ("fim_lsp", "model_runtime"):
                logging.getLogger(name).setLevel(settings.log_level.upper())
        self.now = settings
        return settings


def _parsed(section: object, base: Settings) -> tuple[Settings, list[str]]:
    """Reads the user's settings, and over them those that the client marks as a folder's."""
    settings, problems = Settings.parse(section, base)
    of_folder = field_at(section, FROM_WORKSPACE)
    if of_folder is None:
        return settings, problems
    allowed, refused = allowed_to_a_folder(
        of_folder, is_trusted=field_at(section, WORKSPACE_TRUSTED) is True
    )
    users_globs = settings.exclude
    settings, more = Settings.parse(allowed, settings)
    # A folder adds to what the user excludes; the last glob decides, so it takes nothing back.
    if settings.exclude != users_globs:
        settings = replace(settings, exclude=(*settings.exclude, *users_globs))
    return settings, [*problems, *more, *refused]
