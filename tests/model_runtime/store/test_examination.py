"""A new model proves its format before it takes the place of an older one."""

import json
import shutil
from dataclasses import replace

import pytest

from model_runtime.errors import ConversionError
from model_runtime.importers.fim_config import TOKENS, Candidate, FimConfig
from model_runtime.models.bundle import ModelBundle
from model_runtime.progress import ignore_step, told_to, whole
from model_runtime.prompt.format import HoleStart
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.store import adding, installed
from model_runtime.store.examination import examined
from model_runtime.store.installed import default_folder
from model_runtime.store.options import AddOptions
from tests.support.random_models import VARIANTS, make_source

EMBEDDED = default_folder()
TINY = VARIANTS["rotary quarter"]


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """A machine of its own, with no models."""
    monkeypatch.setattr(installed, "models_folder", lambda: tmp_path / "data" / "models")


@pytest.fixture
def copied(tmp_path):
    """A copy of the embedded model, which reads spm1."""
    return ModelBundle.open(shutil.copytree(EMBEDDED, tmp_path / "copied"))


@pytest.fixture
def owner(tmp_path):
    """A random model whose tokenizer owns the tokens of a published format."""
    source = make_source(tmp_path / "owner", TINY, fim=False)
    text = (source / "tokenizer.json").read_text()
    for old, new in (("PRE", "prefix"), ("SUF", "suffix"), ("MID", "middle")):
        text = text.replace(f"<|{old}|>", f"<fim_{new}>")
    (source / "tokenizer.json").write_text(text)
    return source


def recognized(bundle: ModelBundle, *orders: Order) -> FimConfig:
    """Returns what is known of a model whose tokens fit several formats."""
    form = bundle.manifest.prompt
    tokens = FimTokens(form.end, *(form.roles[role] for role in ("suffix", "prefix", "middle")))
    return FimConfig(
        candidates=tuple(
            Candidate(f"{order.value}-{number}", replace(form, template=order.template(tokens)))
            for number, order in enumerate(orders)
        ),
        context_length=None,
        alibi=False,
        source=TOKENS,
        license="unknown",
        languages=(),
        training={},
    )


def test_of_several_formats_that_fit_the_one_is_taken_that_the_model_reads(copied):
    fim = recognized(copied, Order.PSM, Order.SPM2, Order.SPM1)
    found = examined(copied.path, fim, force=False, progress=ignore_step)

    assert "spm1-2, proven by 1" in found.order_source
    kept = ModelBundle.open(copied.path).manifest.prompt
    assert (Order.SPM1, HoleStart.LINE) == (kept.order, kept.hole_start)
    assert kept.hole_start is found.hole_start


def test_the_share_moves_through_each_phase_to_the_end(copied):
    told = []

    def note(what, share):
        told.append((what, share, whole(share)))

    fim = recognized(copied, Order.PSM, Order.SPM1)
    with told_to(note):
        examined(copied.path, fim, force=False, progress=ignore_step)

    phases = list(dict.fromkeys(what for what, _, _ in told))
    assert [
        "proving that it fills holes in the format psm-0",
        "proving that it fills holes in the format spm1-1",
        "measuring where holes should begin",
    ] == phases[-3:]
    for phase in phases[-3:]:
        shares = [share for what, share, _ in told if what == phase]
        assert len(set(shares)) > 10
        assert shares == sorted(shares)
    done = [of_all for _, _, of_all in told]
    assert done == sorted(done)
    assert 1 == done[-1]


def test_two_formats_that_fit_alike_are_both_named(copied):
    fim = recognized(copied, Order.SPM1, Order.SPM1)
    with pytest.raises(ConversionError, match=r"--prompt-format spm1-0 or --prompt-format spm1-1"):
        examined(copied.path, fim, force=False, progress=ignore_step)


def test_what_the_source_states_whole_is_believed_and_nothing_is_run(tmp_path):
    stated = replace(
        recognized(ModelBundle.open(EMBEDDED), Order.PSM),
        source="fim_config.json",
        hole_start=HoleStart.CURSOR,
    )
    found = examined(tmp_path / "not there", stated, force=False, progress=ignore_step)

    assert ("fim_config.json", HoleStart.CURSOR, ()) == (
        found.order_source,
        found.hole_start,
        found.notes,
    )


@pytest.mark.parametrize("stated", [{}, {"prompt_format": "granite-code"}, {"order": "spm1"}])
def test_a_model_that_fills_nothing_is_refused_and_the_old_one_stays(owner, tmp_path, stated):
    old = make_source(tmp_path / "old", TINY)
    adding.add_model(old, AddOptions(name="mine"))
    before = installed.find("mine").manifest
    source = old if "order" in stated else owner

    with pytest.raises(ConversionError, match=r"0 of \d+ planted lines.*--force") as error:
        adding.add_model(source, AddOptions(name="mine", **stated))

    assert "\n" not in str(error.value)
    assert before == installed.find("mine").manifest
    assert ["mine"] == [path.name for path in installed.models_folder().iterdir()]


def test_a_model_that_fills_nothing_is_kept_by_force_with_a_note(owner):
    report = adding.add_model(owner, AddOptions(name="mine", force=True))

    assert any("0 of" in note and "kept by --force" in note for note in report.notes)
    # Which form suits random weights best is chance.
    assert report.order == installed.find("mine").manifest.prompt.name


def test_sentinels_by_role_are_tried_in_each_order_where_no_format_fits(tmp_path):
    source = make_source(tmp_path / "source", TINY, fim=False)
    tokens = {"end": 0, "suffix": 1, "prefix": 2, "middle": 3}
    (source / "fim_config.json").write_text(json.dumps({"format_version": 1, "tokens": tokens}))

    with pytest.raises(ConversionError, match=r"spm1 \(0 of.*spm2 \(0 of.*psm \(0 of"):
        adding.add_model(source)
