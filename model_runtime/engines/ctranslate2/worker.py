"""The one thread that runs a CTranslate2 model, and the prompts whose state the model keeps."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from model_runtime.engines.abilities import KeptTexts
from model_runtime.engines.ctranslate2.model import LoadedModel
from model_runtime.engines.ctranslate2.static_prompts import Cut, StaticPrompts
from model_runtime.engines.protocol import SamplingParams
from model_runtime.errors import EngineError

if TYPE_CHECKING:
    from model_runtime.models.weights import Float32

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Worker:
    """Runs a model's jobs one after the other."""

    def __init__(self, model: LoadedModel, static: StaticPrompts) -> None:
        """Takes a loaded model, and the budget of its static prompts."""
        self.model = model
        self._static = static
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ctranslate2")
        self._closed = threading.Event()
        # A model that is still alive when Python shuts down aborts the process: its threads then
        # wait for an interpreter that is gone.
        self._free_at_exit = weakref.finalize(self, model.free)

    @property
    def is_closed(self) -> bool:
        """True once `close` was called; a job that runs ends at its next token."""
        return self._closed.is_set()

    @property
    def kept_texts(self) -> KeptTexts:
        """Static prompts whose state is kept."""
        return self._static.kept

    def check_open(self) -> None:
        """Raises EngineError where the model is closed."""
        if self.is_closed:
            raise EngineError("the engine is closed; open a new one")

    def start(self, job: Callable[[], T]) -> Future[T]:
        """Runs a job after those that were started before.

        Raises:
            EngineError: the model is closed.
        """
        self.check_open()
        try:
            return self._thread.submit(job)
        except RuntimeError as error:
            raise EngineError("the engine was closed meanwhile; open a new one") from error

    def run(self, job: Callable[[], T]) -> T:
        """Runs a job and waits for it.

        Raises:
            EngineError: the model is closed, or CTranslate2 broke.
        """
        try:
            return self.start(job).result()
        except (RuntimeError, ValueError) as error:
            raise failure(error) from error

    def cut(self, ids: Sequence[int]) -> Cut:
        """Says how many leading ids would be static, and whether their state is kept."""
        return self._static.cut(ids)

    def next_logits(self, ids: list[int]) -> Float32:
        """Returns logits after `ids`, float32 [vocabulary]; to be called in a job."""
        length = self._prepared(ids)
        logits = self.model.next_logits(ids, length)
        self._static.add(ids[:length])
        return logits

    def decode(self, ids: list[int], sampling: SamplingParams, on_step: Any) -> None:
        """Decodes after `ids`, see `LoadedModel.decode`; to be called in a job."""
        length = self._prepared(ids)
        self.model.decode([ids], length, sampling, on_step)
        self._static.add(ids[:length])

    def close(self) -> None:
        """Waits for the job that runs and frees the model."""
        self._closed.set()
        self._thread.shutdown(wait=True)
        self._free_at_exit()

    def _prepared(self, ids: list[int]) -> int:
        """Returns how many leading ids are static, with room made for their state."""
        cut = self._static.cut(ids)
        if not cut.is_cached and not self._static.has_room(cut.length):
            logger.debug("dropping %d bytes of cached prompts", self._static.used_bytes)
            self._static.clear()
            self.model.reload()
        return cut.length


def failure(error: BaseException) -> EngineError:
    """Returns what CTranslate2 raised as an engine's error."""
    return EngineError(f"CTranslate2 failed ({error}); open the model again")
