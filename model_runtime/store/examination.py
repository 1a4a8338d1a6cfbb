"""Examines a new bundle before it takes its place: does the model fill holes, and in which form?

What the source of a model states itself is believed.  A format that was recognized by the model's
tokens, or that the caller named, must be proven (`fim_probe`); of several that fit, the one in
which the model fills most is taken.  Where the source does not say where holes begin, that is
measured, and for a proven format whether the suffix should stand in front (`hole_probe`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model_runtime.engines import open_engine, registry
from model_runtime.engines.protocol import Engine, Scorer
from model_runtime.errors import ConversionError
from model_runtime.importers.fim_config import Candidate, FimConfig
from model_runtime.importers.huggingface import Examined
from model_runtime.models.bundle import ModelBundle
from model_runtime.progress import OnStep, announced, part
from model_runtime.prompt.format import HoleStart
from model_runtime.store.fim_probe import FimProbe, probe
from model_runtime.store.hole_probe import forms_of, measure_forms, with_format

_OPENED, _PROVEN = 0.1, 0.6
"""Shares of the work after which the engine is open, and the format is proven."""
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
    with part(0, _OPENED):
        engine = open_engine(bundle, engine=_engine_for(bundle))
    try:
        source, notes, form = fim.source, tuple[str, ...](), bundle.manifest.prompt
        if not fim.is_declared:
            with part(_OPENED, _PROVEN):
                chosen, source, notes = _proven(bundle, engine, fim, force, progress)
            bundle = with_format(bundle, replace(chosen.prompt, hole_start=form.hole_start))
        if fim.hole_start is None:
            published = bundle.manifest.prompt
            forms = forms_of(published)[: len(HoleStart) if fim.is_declared else None]
            what = "measuring where holes should begin"
            with part(_PROVEN, 1), announced(progress, what):
                form = measure_forms(bundle, engine, forms)[0].prompt
            with_format(bundle, form)
            if form.template != published.template:
                source += ", asked with the suffix first"
    finally:
        engine.close()
    return Examined(source, form.hole_start, notes)


def _engine_for(bundle: ModelBundle) -> str:
    """Returns the engine whose figures compare from machine to machine, or one that can run it."""
    reference = registry.reference()
    able = [kind.name for kind in registry.kinds() if kind.version and not kind.supports(bundle)]
    return reference if reference in able or not able else able[0]


def _proven(
    bundle: ModelBundle, engine: Engine, fim: FimConfig, force: bool, progress: OnStep
) -> tuple[Candidate, str, tuple[str, ...]]:
    """Returns the format that the model reads best, who says so, and notes for people."""
    if not isinstance(engine, Scorer):
        note = f"the engine {engine.name} cannot prove the prompt format {fim.candidates[0].name}"
        return fim.candidates[0], fim.source, (note,)
    probes, many = [], len(fim.candidates)
    for number, one in enumerate(fim.candidates):
        what = "proving that it fills holes" + (f" in the format {one.name}" if many > 1 else "")
        with part(number / many, (number + 1) / many), announced(progress, what):
            probes.append((one, probe(bundle, engine, one.prompt)))
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
