"""Decides whether a package's licence lets a model learn from its code.

The first of these that says anything decides: the licence expression, the classifiers, the licence
field, the licence files.  Only packages with a licence of the recipe's allow-list, and no copyleft
beside it, are read; the evidence is kept for every package.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from model_runtime.training.recipe import PERMISSIVE

COPYLEFT = re.compile(
    r"\bA?L?GPL|GNU (Affero|General|Lesser|Library)|\bMPL|Mozilla Public|\bEPL|Eclipse Public"
    r"|\bCDDL|EUPL|CeCILL|OSL-|CC[- ]BY[- ](SA|NC)|Artistic",
    re.IGNORECASE,
)
PROPRIETARY = re.compile(
    r"proprietary|LicenseRef|commercial|all rights reserved|EULA", re.IGNORECASE
)
KNOWN_TEXTS = (
    ("Permission is hereby granted, free of charge", "MIT"),
    ("Redistribution and use in source and binary", "BSD"),
    ("GNU", "GNU GPL"),
    ("Apache License", "Apache-2.0"),
    ("Permission to use, copy, modify, and", "ISC"),
    ("PYTHON SOFTWARE FOUNDATION LICENSE", "PSF-2.0"),
)
"""Words of a licence file, and the licence they mean; the first hit counts."""


class Verdict(NamedTuple):
    """A decision about a package, and what it rests on."""

    kind: str
    """`permissive`, `copyleft`, `proprietary`, `unknown`, `unreadable`, or `by document`."""
    evidence: str
    """Place where `text` was found."""
    text: str
    """The licence in its own words, at most 120 characters, without tabs."""


def classify_package(
    metadata: str, licence_files: Sequence[str], allowed: Sequence[str] = PERMISSIVE
) -> Verdict:
    """Returns the verdict about a package's METADATA or PKG-INFO and the texts of its licence
    files.

    >>> classify_package("License-Expression: MIT OR GPL-3.0-only", []).kind
    'permissive'
    >>> classify_package("License: GNU General Public License v3", []).kind
    'copyleft'
    >>> classify_package("License-Expression: MIT", [], allowed=("Apache",)).kind
    'unknown'
    """
    return classify_text(*_declared(metadata, licence_files), allowed)


def classify_text(evidence: str, text: str, allowed: Sequence[str] = PERMISSIVE) -> Verdict:
    """Returns the verdict about what a package, or one row of a data set, says of its licence."""
    permits = _any_of(tuple(allowed)).search(text)
    if COPYLEFT.search(text):
        has_choice = evidence == "expression" and " OR " in text and permits
        kind = "permissive" if has_choice else "copyleft"
    elif permits:
        kind = "permissive"
    else:
        kind = "proprietary" if PROPRIETARY.search(text) else "unknown"
    return Verdict(kind, evidence, " ".join(text.split())[:120])


@functools.cache
def _any_of(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, names))})(?!\w)", re.IGNORECASE)


def _declared(metadata: str, licence_files: Sequence[str]) -> tuple[str, str]:
    """Returns evidence and text of the first place that says anything."""
    fields: dict[str, list[str]] = defaultdict(list)
    for line in metadata.split("\n\n")[0].splitlines():
        if match := re.match(r"([A-Za-z-]+): (.*)", line):
            fields[match[1].lower()].append(match[2])
    if fields["license-expression"]:
        return "expression", " ".join(fields["license-expression"])
    classifiers = "; ".join(
        entry
        for entry in fields["classifier"]
        if entry.startswith("License") and entry != "License :: OSI Approved"
    )
    if classifiers:
        return "classifier", classifiers
    declared = " ".join(fields["license"]).strip()
    if declared and declared.upper() != "UNKNOWN":
        return "license field", declared[:300]
    bodies = " ".join(text[:3000] for text in licence_files)
    return "licence file", next((name for words, name in KNOWN_TEXTS if words in bodies), "")
