"""A real model decodes in float32 what transformers decodes with the same dequantized weights.

Few prompts and ids, to be done in a minute or two; `greedy_agreement` counts over more of them, and
for quantized forms.
"""

import os
import shutil
from pathlib import Path

import pytest

from tests.real_models.greedy_agreement import FORMS, agreement
from tests.support.requirements import required_module

pytestmark = pytest.mark.real_model

required_module("torch")
required_module("transformers")

PROMPTS, IDS = 4, 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for some gigabytes, which go when the tests are done."""
    folder = tmp_path_factory.mktemp("greedy")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("form", [name for name in FORMS if name.endswith("float32")])
def test_each_engine_decodes_in_float32_what_transformers_decodes(folder, form):
    found = agreement(Path(os.environ["FIM_LSP_TEST_GGUF"]), folder, form, PROMPTS, IDS)

    assert PROMPTS * IDS == found.of_ids
    assert found.of_ids == found.ids + found.ties
    assert found.answers == found.of_answers or found.ties
