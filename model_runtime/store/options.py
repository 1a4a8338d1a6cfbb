"""States what a user may say about a model that is added."""

from __future__ import annotations

from dataclasses import dataclass

from model_runtime.prompt.orders import Order


@dataclass(frozen=True, slots=True)
class AddOptions:
    """Wishes of a user about a model that is added; the defaults leave all to the source."""

    name: str | None = None
    """Name under which to find it; by default the catalogue's, or the last part of the source."""
    quantization: str = "int8"
    """Number type of the weights: "int8", "float16", "float32", or "none" where a server has them;
    a bundle stays as it is."""
    order: Order | str | None = None
    """Order of the parts of a prompt, where the source itself does not say."""
    prompt_format: str | None = None
    """Name of a published format, in place of `order`."""
    revision: str | None = None
    """Commit, branch or tag of a repository; by default the catalogue's, or the newest."""
    force: bool = False
    """True adds it though it seems too large, does not prove its format, or is there already."""
    accept_license: bool = False
    """True accepts any license, and takes files that another program has fetched."""
