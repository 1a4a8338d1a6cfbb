"""An exported model is the trained one, whoever reads it.

Tolerances: transformers computes the same logits to 1e-5 (and a relative 1e-4); CTranslate2 in
float32, whose sums run in another order, the same log-probabilities to 1e-4.
"""

import json
from pathlib import Path

import gguf
import pytest
import torch
import yaml
from attrs import evolve

from model_runtime.engines import open_engine
from model_runtime.engines.ctranslate2.engine import CTranslate2Engine
from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import ModelBundle
from model_runtime.training.export import export
from model_runtime.training.forward import Batch, hidden_states
from model_runtime.training.network import TrainingNetwork
from model_runtime.training.packing import PackedRows
from model_runtime.training.recipe import NetworkRecipe, Recipe
from model_runtime.training.train import Trainer
from tests.model_runtime.training.test_train import RECIPE
from tests.support.requirements import required_module

transformers = required_module("transformers")

SMALL = {"layers": 2, "width": 32, "heads": 2, "context": 128}
SHAPES = {
    "rotary": NetworkRecipe(**SMALL),
    "quarter": NetworkRecipe(
        **SMALL, rotary_share=0.25, rotary_base=500.0, tied=False, parallel_residual=False
    ),
    "alibi": NetworkRecipe(**SMALL, positions="alibi"),
    # No power of two: the slopes are then no single geometric series.
    "alibi of 6 heads": NetworkRecipe(**SMALL | {"width": 48, "heads": 6}, positions="alibi"),
}
OLD, NEW = ("rotary_pct", "rotary_emb_base"), ("rope_parameters",)
IDS = torch.randint(8, 400, (1, 60), generator=torch.manual_seed(0))


class Trained:
    """A network after three steps, and the folder it was exported to."""

    def __init__(self, recipe: Recipe, network: TrainingNetwork, folder: Path) -> None:
        self.recipe, self.network, self.folder = recipe, network, folder

    def logits(self) -> torch.Tensor:
        per_row = self.recipe.data.attention_within == "row"
        batch = Batch.of(PackedRows(IDS.int().numpy(), [[60]]), per_row, torch.device("cpu"))
        with torch.no_grad():
            return hidden_states(self.network, batch, torch.float32) @ self.network.head.T


@pytest.fixture(scope="module")
def trained(corpus: Path, tokenizer_path: Path, tmp_path_factory: pytest.TempPathFactory):
    """A function from the name of a shape to its exported model."""
    known: dict[str, Trained] = {}

    def make(name: str) -> Trained:
        if name not in known:
            folder = tmp_path_factory.mktemp(name)
            within = "row" if SHAPES[name].positions == "alibi" else "example"
            recipe = evolve(
                RECIPE,
                name=name,
                network=SHAPES[name],
                data=evolve(RECIPE.data, attention_within=within),
            )
            trainer = Trainer(recipe, corpus, tokenizer_path, folder / "train")
            trainer.run(3)
            out = export(recipe, folder / "train", tokenizer_path, corpus, folder / "export")
            known[name] = Trained(recipe, trainer.network, out)
        return known[name]

    return make


def copy_with_config(folder: Path, target: Path, without: tuple[str, ...]) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    kept = {key: value for key, value in config.items() if key not in without}
    (target / "config.json").write_text(json.dumps(kept))
    return target


@pytest.mark.parametrize("without", [(), OLD, NEW], ids=["both", "new", "old"])
@pytest.mark.parametrize("name", ["rotary", "quarter"])
def test_plain_transformers_computes_the_trained_logits(trained, tmp_path, name, without):
    """The folder works with both spellings of the rotary settings, and with either one alone."""
    folder = copy_with_config(trained(name).folder, tmp_path / "model", without)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        found = model(IDS).logits[0]

    torch.testing.assert_close(found, trained(name).logits(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("without", [(), OLD, NEW], ids=["both", "new", "old"])
@pytest.mark.parametrize("name", list(SHAPES))
def test_ctranslate2_in_float32_gives_the_trained_probabilities(trained, tmp_path, name, without):
    folder = copy_with_config(trained(name).folder, tmp_path / "model", without)
    convert_folder(folder, tmp_path / "bundle", name=name, quantization="float32")
    bundle = ModelBundle.open(tmp_path / "bundle")
    engine = CTranslate2Engine.open(bundle, threads=1, kind="float32")
    found = engine.logprobs(IDS[0].tolist())
    engine.close()
    expected = trained(name).logits().log_softmax(-1)[:-1]
    expected = expected.gather(1, IDS[0, 1:, None])[:, 0]

    assert [token.logprob for token in found] == pytest.approx(expected.tolist(), abs=1e-4)


def test_transformers_refuses_a_model_with_alibi(trained):
    """transformers would otherwise rotate the heads and say nothing."""
    with pytest.raises(ValueError, match="gpt_neox_alibi"):
        transformers.AutoModelForCausalLM.from_pretrained(trained("alibi").folder)
    card = (trained("alibi").folder / "README.md").read_text()

    assert "has no GPT-NeoX with ALiBi and refuses this folder" in card


@pytest.mark.parametrize("shape", ["alibi", "alibi of 6 heads"])
@pytest.mark.parametrize("engine", ["ctranslate2", "onnx", "torch"])
def test_a_model_with_alibi_runs_as_a_bundle(trained, tmp_path, engine, shape):
    convert_folder(trained(shape).folder, tmp_path / "b", name="a", quantization="float32")
    bundle = ModelBundle.open(tmp_path / "b")
    assert "alibi" == bundle.manifest.decoder.position_kind
    opened = open_engine(bundle, engine=engine, device="cpu", threads=1)
    found = opened.logprobs(IDS[0].tolist())
    opened.close()
    expected = trained(shape).logits().log_softmax(-1)[:-1].gather(1, IDS[0, 1:, None])[:, 0]

    # CTranslate2 computes in int8 here.
    tolerance = 1e-4 if engine == "torch" else 0.2
    assert [token.logprob for token in found] == pytest.approx(expected.tolist(), abs=tolerance)


def test_the_tokenizer_names_the_sentinels(trained):
    tokenizer = transformers.AutoTokenizer.from_pretrained(trained("rotary").folder)

    assert [1, 2, 3, 5] == [
        tokenizer.convert_tokens_to_ids(token)
        for token in (
            tokenizer.suffix_token,
            tokenizer.prefix_token,
            tokenizer.middle_token,
            tokenizer.file_token,
        )
    ]
    assert 1 == tokenizer("<|SUF|>").input_ids[0]
    assert 0 == tokenizer.eos_token_id
    assert 4 == tokenizer.pad_token_id


def test_generation_ends_at_every_sentinel(trained):
    config = transformers.GenerationConfig.from_pretrained(trained("rotary").folder)

    assert ([0, 1, 2, 3, 5], 0, 4, False) == (
        sorted(config.eos_token_id),
        config.bos_token_id,
        config.pad_token_id,
        config.do_sample,
    )


def test_the_block_of_the_tokenizer_says_how_to_prompt(trained, tmp_path):
    """A tool may have dropped fim_config.json."""
    folder = copy_with_config(trained("rotary").folder, tmp_path / "model", ())
    (folder / "fim_config.json").unlink()
    whole, block = tmp_path / "whole", tmp_path / "block"
    convert_folder(trained("rotary").folder, whole, name="m")
    convert_folder(folder, block, name="m")
    one, other = (ModelBundle.open(path).manifest for path in (whole, block))

    assert (one.prompt, one.canary) == (other.prompt, other.canary)
    assert one.context_length == other.context_length == 128


def test_gguf_finds_the_sentinels_and_the_merges(trained):
    """llama.cpp's converters look for special tokens there."""
    names = ("fim_pre", "fim_suf", "fim_mid", "fim_pad", "fim_sep")
    types = ("bos", "eos", "pad", *names)
    folder = trained("rotary").folder
    found = gguf.SpecialVocab(folder, load_merges=True, special_token_types=types)

    assert {
        "bos": 0, "eos": 0, "pad": 4,
        "fim_pre": 2, "fim_suf": 1, "fim_mid": 3, "fim_pad": 4, "fim_sep": 5,
    } == found.special_token_ids  # fmt: skip
    assert len(found.merges) > 50
    for name in names:
        assert hasattr(gguf.Keys.Tokenizer, f"{name.upper()}_ID")


def report_of(path: Path, **changes) -> Path:
    interval = {"mean": 0.05, "low": 0.04, "high": 0.06}
    scores = [
        {
            "label": label,
            "pass_at": {"1": {**interval, "mean": mean}},
            "exact_match": interval,
            "edit_similarity": interval,
        }
        for label, mean in (("floor", 0.0261), ("raw", 0.05))
    ]
    terms = {
        "rows": "1033 of 1033",
        "samples": 1,
        "temperature": 0.0,
        "max_new_tokens": 64,
        "engine": "ctranslate2",
        "split": "single-line",
    }
    content = {"benchmark": "HumanEval-infilling, single-line", "scores": scores, **changes}
    content["terms"] = terms | content.get("terms", {})
    path.write_text(json.dumps(content))
    return path


def test_the_card_is_made_of_recipe_and_scores(trained, corpus, tokenizer_path, tmp_path):
    """Scores of other weights are left out."""
    model = trained("quarter")
    fim = json.loads((model.folder / "fim_config.json").read_text())
    own = report_of(
        tmp_path / "own.json", model="quarter", terms={"tokens_seen": fim["tokens_seen"]}
    )
    other = report_of(tmp_path / "other.json", model="quarter", terms={"tokens_seen": 7})
    state = model.folder.parent / "train"
    out = export(
        model.recipe, state, tokenizer_path, corpus, tmp_path / "out", reports=[own, other]
    )
    _, front, text = (out / "README.md").read_text().split("---\n", 2)
    front = yaml.safe_load(front)

    assert "apache-2.0" == front["license"]
    (result,) = front["model-index"][0]["results"]
    assert "single-line" == result["dataset"]["split"]
    assert 0.05 == result["metrics"][0]["value"]
    assert "empty answers 0.0261" in result["metrics"][0]["name"]
    counted = sum(weight.numel() for weight in model.network.parameters())
    assert f"{counted:,} parameters (counted from the checkpoint)" in text
    assert "| uncut: the model stops by itself | 5.00% (4.00% to 6.00%) |" in text
    assert 1 == text.count("| empty answer (the floor) |")
    assert "`<|SUF|> suffix <|PRE|> prefix <|MID|>` -> middle, `<|endoftext|>`" in text
    assert "| optimizer | muon, learning rate 0.01, wsd" in text
    assert "On held-out packages at the end: ltr_bpb" in text


def test_a_card_without_scores_says_so(trained):
    text = (trained("rotary").folder / "README.md").read_text()

    assert "Not measured." in text
    assert "model-index" not in text
