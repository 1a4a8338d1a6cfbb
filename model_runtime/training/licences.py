"""Whether a package's licence lets a model learn from its code.

The first of these that says anything decides: the licence expression, the classifiers, the licence
field, the licence files.  Only `permissive` packages are read; the evidence is kept for every
package.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

PERMISSIVE = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|BSD|Apache|ISC|PSF|Python Software Foundation|Python-2\.0|Unlicense|CC0"
    r"|Zlib|0BSD|HPND|PIL|Historical Permission|public domain|Boost|BSL-1\.0|NCSA|WTFPL|X11|AFL"
    r"|Academic Free|Zope|ZPL|UPL)\b",
    re.IGNORECASE,
)
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
    """What was decided about a package, and from what."""

    kind: str
    """`permissive`, `copyleft`, `proprietary`, `unknown` or `unreadable`."""
    evidence: str
    """Where `text` was found."""
    text: str
    """At most 120 characters, without tabs."""


def judge(metadata: str, licence_files: Sequence[str]) -> Verdict:
    """From a wheel's METADATA and the texts of its licence files.

    >>> judge("License-Expression: MIT OR GPL-3.0-only", []).kind
    'permissive'
    >>> judge("License: GNU General Public License v3", []).kind
    'copyleft'
    """
    evidence, text = _declared(metadata, licence_files)
    if COPYLEFT.search(text):
        has_choice = evidence == "expression" and " OR " in text and PERMISSIVE.search(text)
        kind = "permissive" if has_choice else "copyleft"
    elif PERMISSIVE.search(text):
        kind = "permissive"
    else:
        kind = "proprietary" if PROPRIETARY.search(text) else "unknown"
    return Verdict(kind, evidence, " ".join(text.split())[:120])


def _declared(metadata: str, licence_files: Sequence[str]) -> tuple[str, str]:
    """Evidence and text of the first source that says anything."""
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
