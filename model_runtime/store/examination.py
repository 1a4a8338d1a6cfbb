"""Examines a new bundle before it takes its place: does the model read its format, and which hole?

What the source of a model states itself is believed.  A format that was recognized by the model's
tokens, or that the caller named, must be proven (`fim_probe`); of several that fit, the one in which
the model fills most is taken.  Where the source does not say where holes begin, that is measured
(`hole_probe`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model_runtime.engines import open_engine, registry
from model_runtime.engines.protocol import Engine, Scorer
from model_runtime.errors import ConversionError
from model_runtime.importers.fim_config import Candidate, FimConfig
from model_runtime.importers.huggingface import Examined
from model_runtime.models.bundle import ModelBundle, make_canary, write_manifest
from model_runtime.progress import OnStep
from model_runtime.prompt.encoder import PromptEncoder
from model_runtime.store.fim_probe import FimProbe, probe
from model_runtime.store.hole_probe import measure_hole_starts, with_hole_start

_WAY_OUT = (
    "name another format with --prompt-format, keep the model all the same with --force, or serve "
    "it by llama-server"
)


def examined(folder: Path, fim: FimConfig, *, force: bool, progress: OnStep) -> Examined:
    """Measures what the source does not state, and writes it into the bundle's manifest.

    Args:
        folder: of the finished bundle, whose format is the first candidate.
        fim: what is known of its prompt.
        force: keeps a model that fails, with a note.
        progress: called with a sentence at each step.

    Raises:
        ConversionError: the model does not read the format, or reads two of them equally well.
        ModelRuntimeError: no engine here can run it.
    """
    if fim.is_declared and fim.hole_start is not None:
        return Examined(fim.source, fim.hole_start)
    bundle = ModelBundle.open(folder)
    engine = open_engine(bundle, engine=_engine_for(bundle))
    try:
        source, notes = fim.source, tuple[str, ...]()
        if not fim.is_declared:
            progress("proving that it fills holes")
            chosen, source, notes = _proven(bundle, engine, fim, force)
            bundle = _with_format(bundle, chosen)
        hole_start = fim.hole_start
        if hole_start is None:
            progress("measuring where holes should begin")
            hole_start = measure_hole_starts(bundle, engine)[0].hole_start
            with_hole_start(bundle, hole_start)
    finally:
        engine.close()
    return Examined(source, hole_start, notes)


def _engine_for(bundle: ModelBundle) -> str:
    """Returns the engine whose figures compare from machine to machine, or one that can run it."""
    reference = registry.reference()
    able = [kind.name for kind in registry.kinds() if kind.version and not kind.supports(bundle)]
    return reference if reference in able or not able else able[0]


def _proven(
    bundle: ModelBundle, engine: Engine, fim: FimConfig, force: bool
) -> tuple[Candidate, str, tuple[str, ...]]:
    """Returns the format that the model reads best, who says so, and notes for people."""
    if not isinstance(engine, Scorer):
        note = f"the engine {engine.name} cannot prove the prompt format {fim.candidates[0].name}"
        return fim.candidates[0], fim.source, (note,)
    probes = [(one, probe(bundle, engine, one.prompt)) for one in fim.candidates]
    probes.sort(key=lambda pair: pair[1].filled, reverse=True)
    best, found = probes[0]
    if not found.passes:
        problem = (
            f"{bundle.manifest.name} does not fill holes in the prompt format {_figures(probes)}"
        )
        if not force:
            raise ConversionError(f"{problem}; {_WAY_OUT}")
        return best, fim.source, (f"{problem}; kept by --force",)
    rivals = [one.name for one, other in probes[1:] if other.filled == found.filled]
    if rivals and not force:
        raise ConversionError(
            f"{bundle.manifest.name} reads the prompt formats {_figures(probes)} equally well; say "
            f"which with --prompt-format {best.name} or --prompt-format {' or '.join(rivals)}"
        )
    source = f"{fim.source}: {best.name}, proven by {found.filled} of {found.planted} planted lines"
    return best, source, ()


def _figures(probes: list[tuple[Candidate, FimProbe]]) -> str:
    return " nor in ".join(
        f"{one.name} ({found.filled} of {found.planted} planted lines)" for one, found in probes
    )


def _with_format(bundle: ModelBundle, chosen: Candidate) -> ModelBundle:
    """Writes a format, and a canary in it, into the manifest of a bundle, and opens it again."""
    prompt = replace(chosen.prompt, hole_start=bundle.manifest.prompt.hole_start)
    encoder = PromptEncoder(bundle.tokenizer, prompt)
    changed = replace(bundle.manifest, prompt=prompt, canary=make_canary(encoder))
    write_manifest(bundle.path, changed.to_json())
    return ModelBundle.open(bundle.path)
