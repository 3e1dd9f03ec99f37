"""Stop on non-finite loss or skipped updates; warn of loss spikes, stop on them, or go back. No torch here.

Every rank sees the same numbers, so every rank decides the same. A stop comes before the step could be saved:
the last checkpoint is from before it.
"""

import math
import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from corpus.errors import DataError
from train.config import TrainConfig

WINDOW = 100  # losses whose median a spike is measured against
LEAST = 10  # as many are needed before anything is a spike
REMEDY = (
    "training stopped, and the last checkpoint is from before. Go on from it without the rows around the step "
    "(`--resume --set on_spike=skip`), with a lower learning_rate or clip, or in another precision "
    "(`--resume --set learning_rate=…`; without --resume, when nothing was saved yet)"
)


class SpikeError(DataError):
    """A step that the run must not keep; `what` is what was wrong with it, `loss` its loss."""

    def __init__(self, what: str, *, advice: str, step: int, loss: float) -> None:
        """Take what is known of the step; the message is `what` with the advice behind it."""
        super().__init__(f"{what}{advice}")
        self.what, self.step, self.loss = what, step, loss


@dataclass(kw_only=True, slots=True)
class LossWatch:
    """Watch over the losses of a run; `skipped` counts the updates that DeepSpeed left out so far."""

    config: TrainConfig
    losses: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    skipped: int = 0
    spikes: int = 0

    @classmethod
    def resumed(cls, config: TrainConfig, losses: Iterable[float], *, skipped: int) -> "LossWatch":
        """Return the watch of a run that is resumed after steps with these losses."""
        watch = cls(config=config, skipped=skipped)
        watch.losses.extend(loss for loss in losses if math.isfinite(loss))
        return watch

    def check(self, step: int, *, loss: float, norm: float | None, skipped: int) -> list[str]:
        """Return the warnings about a step that was just done.

        `skipped` is DeepSpeed's count since the run began. Raises SpikeError when the run must stop or go back.
        """
        left_out, self.skipped = skipped - self.skipped, skipped
        finite = math.isfinite(loss) and (norm is None or math.isfinite(norm))
        if not finite and not left_out:
            what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradients are not finite (norm {norm})"
            raise SpikeError(f"step {step}: {what}", advice=f"; {REMEDY}", step=step, loss=loss)
        if left_out:
            return [self._left_out(step, loss)]
        warning = self._spike(step, loss)
        self.losses.append(loss)
        return [] if warning is None else [warning]

    def _left_out(self, step: int, loss: float) -> str:
        text = f"step {step}: DeepSpeed left the update out, its gradients are not finite (loss {loss})"
        counted = f"{text}; {self.skipped} so far, max_skipped_steps allows {self.config.max_skipped_steps}"
        if self.skipped > self.config.max_skipped_steps:
            raise SpikeError(counted, advice=f": {REMEDY}", step=step, loss=loss)
        return f"warning: {counted}"

    def _spike(self, step: int, loss: float) -> str | None:
        limit = self.config.spike_nats
        if limit is None or len(self.losses) < LEAST:
            return None
        usual = statistics.median(self.losses)
        if loss <= usual + limit:
            return None
        self.spikes += 1
        text = f"step {step}: loss {loss:.4f} is {loss - usual:.2f} above the median of the last {len(self.losses)}"
        if self.config.on_spike != "warn":
            what = f"{text}, more than spike_nats {limit}"
            raise SpikeError(what, advice=f"; {REMEDY}, or set on_spike to warn", step=step, loss=loss)
        return f"warning: {text}; {self.spikes} spikes in this process"
