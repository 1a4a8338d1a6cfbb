"""Lists the models on this machine and those of the catalogue, as JSON; each call takes time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_runtime.catalogue.fit import Assessment


def assessments() -> tuple[Assessment, ...]:
    """Returns what there is to say of each model of the catalogue on this machine.

    The machine is measured, which takes a second the first time.
    """
    from model_runtime.catalogue.entries import catalogue
    from model_runtime.catalogue.fit import assess
    from model_runtime.machine.speed import measured_speed
    from model_runtime.memory import available_memory

    models = catalogue()
    return assess(models, measured_speed(), available_memory()) if models else ()


def installed_models(in_use: str) -> list[dict[str, Any]]:
    """Returns the models on this machine, unusable ones with their problem.

    Args:
        in_use: name of the model that answers.
    """
    from model_runtime.store import installed

    rows = []
    for entry in installed.list_models():
        manifest = entry.manifest
        rows.append(
            {
                "name": entry.name,
                "problem": entry.problem,
                "parameters": manifest.parameters if manifest else 0,
                "bytes": entry.bytes,
                "sha256": manifest.weights.sha256 if manifest else "",
                "license": manifest.license if manifest else "",
                "isCurrent": entry.name == in_use,
                "isRemovable": entry.origin is installed.Origin.ADDED,
            }
        )
    return rows


def available_models(installed_names: set[str]) -> list[dict[str, Any]]:
    """Returns the models of the catalogue, with what is expected of them here."""
    rows = []
    for assessment in assessments():
        model = assessment.model
        rows.append(
            {
                "name": model.name,
                "family": model.family,
                "parameters": model.parameters,
                "license": model.license,
                "licenseUrl": model.license_url,
                "isPermissive": model.is_permissive,
                "downloadBytes": model.download_bytes,
                "memoryBytes": assessment.memory_bytes,
                "keyMs": assessment.key_ms,
                "fits": assessment.fits,
                "isRecommended": assessment.is_recommended,
                "why": assessment.why,
                "isInstalled": model.name in installed_names,
            }
        )
    return rows
