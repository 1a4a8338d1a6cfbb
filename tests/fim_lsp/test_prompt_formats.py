"""The server asks and stops as the format of its model says."""

import pytest

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.orders import Order
from model_runtime.prompt.template import ContextFormat, Slot
from tests.support.scripted_host import TOKENS, encoder_of, scripted_model

NO_PAUSE = Settings(debounce_ms=0)
PSM = PromptFormat.of_order(Order.PSM, TOKENS)
NAMED = PromptFormat(
    (Slot.OWN_FILE, TOKENS.suffix, Slot.SUFFIX, TOKENS.prefix, Slot.PREFIX),
    end=TOKENS.end,
    stop_strings=("\n+++++ ",),
    context=ContextFormat(own_file=("file ", Slot.PATH, "\n"), names_lone_file=True),
)


@pytest.fixture
async def complete():
    """Completes a text with a model of some format: its suggestions, and its prompt as ids."""
    hosts = []

    async def run(answer, prompt_format, text, trigger=Trigger.INVOKED, **names):
        model = scripted_model(answer, prompt_format=prompt_format)
        hosts.append(ModelHost(lambda settings: model))
        await hosts[-1].ready(NO_PAUSE)
        before, _, after = text.partition("|")
        shot = DocumentSnapshot("file:///w/a.py", "python", 1, before + after, len(before), **names)
        request = CompletionRequest(shot, trigger, NO_PAUSE)
        found = await CompletionProvider(hosts[-1]).complete(request)
        return [one.text for one in found], model.engine.prompts[-1]

    yield run
    for host in hosts:
        host.close()


async def test_an_answer_ends_where_the_model_begins_another_file(complete):
    texts, _ = await complete("a + b\n+++++ other.py\nimport os\n", NAMED, "x = |\n")

    assert ["a + b"] == texts


async def test_a_file_is_named_where_the_format_says_so(complete):
    tokenizer = encoder_of(NAMED).tokenizer
    _, prompt = await complete("a", NAMED, "x = |\n", path="src/a.py")

    assert "file src/a.py\n<|SUF|>\n<|PRE|>x = " == tokenizer.decode(prompt)


@pytest.mark.parametrize(("trigger", "most"), [(Trigger.AUTOMATIC, 128), (Trigger.INVOKED, 2000)])
async def test_somebody_who_types_does_not_wait_for_a_long_suffix(complete, trigger, most):
    below = "".join(f"value_{number} = {number}\n" for number in range(400))
    _, prompt = await complete("a", PSM, f"x = |\n{below}", trigger)
    suffix = len(prompt) - prompt.index(TOKENS.suffix) - 2

    assert most / 4 < suffix <= most


@pytest.mark.parametrize(
    ("uri", "path", "project"),
    [
        ("file:///home/me/shop/src/a.py", "src/a.py", "shop"),
        ("file:///c%3A/my%20shop/a.py", "a.py", "my shop"),
        ("file:///a.py", "a.py", ""),
        ("untitled:One", "", ""),
    ],
)
def test_a_project_is_called_by_its_folder(uri, path, project):
    assert project == DocumentSnapshot(uri, "python", 1, "", 0, path).project
