"""Conversations that a coverage-guided fuzzer has kept, once more: `conversation_of_bytes`."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.faults.conversation_of_bytes import SEEDS, converse
from tests.faults.lsp_messages import messages
from tests.faults.tally import Tally
from tests.faults.test_fuzz import drawn


def test_the_conversations_that_a_fuzzer_has_kept_go_well(
    tally: Tally, caplog: pytest.LogCaptureFixture
):
    count = tally.of("conversations that a coverage-guided fuzzer kept")
    caplog.set_level(logging.CRITICAL)
    pool = drawn(messages(), 300, 19)
    for line in SEEDS.read_text("ascii").splitlines():
        count.injected += 1
        asyncio.run(converse(bytes.fromhex(line), pool))
        count.survived += 1
    assert count.injected
