"""Text generation from a prompt on the CPU, with its speed and its peak memory."""

import dataclasses
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from corpus.stage.progress import say
from train.generate.backends import OpenedModel, Stop, open_text_model
from train.generate.sampling import Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedTexts:
    """Generated texts with their prompt, and their cost; memory is the peak of this process."""

    texts: tuple[str, ...]
    source: str
    threads: int
    prompt_tokens: int
    tokens: int
    load_seconds: float
    seconds: float
    cpu_seconds: float
    peak_bytes: int

    def line(self) -> str:
        """Return the figures as one line."""
        rate = self.tokens / self.seconds if self.seconds else 0.0
        return (
            f"{self.source}: {self.tokens:,} tokens after {self.prompt_tokens:,} in {self.seconds:.2f} s "
            f"({self.cpu_seconds:.2f} CPU s), {rate:,.1f} tokens/s on {self.threads} threads; "
            f"checked and loaded in {self.load_seconds:.2f} s, peak memory {self.peak_bytes / 1e6:,.0f} MB"
        )


def write_texts(
    path: str, prompt: str, sampling: Sampling, *, kind: str | None = None, threads: int = 1
) -> GeneratedTexts:
    """Return continuations of a prompt, by a run's newest good checkpoint or a format of an export.

    Raises UsageError when there is no such model, CorruptError when a hash does not hold.
    """
    start = time.monotonic()
    opened = open_text_model(path, say, kind=kind, threads=threads)
    loaded, cpu = time.monotonic(), time.process_time()
    ids, found = _continuations(opened, prompt, sampling, lambda ids: False)
    seconds = time.monotonic() - loaded
    return GeneratedTexts(
        texts=tuple(prompt + opened.tokenizer.decode(one) for one in found),
        source=opened.source,
        threads=threads,
        prompt_tokens=len(ids),
        tokens=sum(map(len, found)),
        load_seconds=loaded - start,
        seconds=seconds,
        cpu_seconds=time.process_time() - cpu,
        peak_bytes=peak_memory(),
    )


def peak_memory() -> int:
    """Return the most bytes of memory this process has held; Linux's getrusage counts its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def generate(run_dir: str, prompt: str, max_tokens: int, seed: int) -> str:
    """Return the prompt with one sampled sentence, or as far as `max_tokens` goes.

    Raises UsageError when the run has no checkpoint, CorruptError when none is intact.
    """
    opened = open_text_model(run_dir, say)

    def ended(ids: list[int]) -> bool:
        return _sentence(opened.tokenizer.decode(ids)) is not None

    _, (found,) = _continuations(opened, prompt, Sampling(max_tokens=max_tokens, seed=seed), ended)
    text = opened.tokenizer.decode(found)
    return prompt + (_sentence(text) or text)


def _continuations(
    opened: OpenedModel, prompt: str, sampling: Sampling, stop: Stop
) -> tuple[list[int], list[list[int]]]:
    """Return the ids read and the continuations; a long prompt loses its beginning, not the room for what follows."""
    model = opened.model
    # Every document begins after an end of text, and after nothing else that a tokenizer's own template may add.
    ids = opened.tokenizer.encode(prompt, add_special_tokens=False).ids or [model.end]
    new = min(sampling.max_tokens, model.seq_length // 2)
    if len(ids) > (room := model.seq_length - new + 1):
        say(f"the prompt has {len(ids):,} tokens; the last {room:,} are read, for the model sees {model.seq_length:,}")
        ids = ids[-room:]
    return ids, model.continuations(ids, dataclasses.replace(sampling, max_tokens=new), stop)


def _sentence(text: str) -> str | None:
    """Return the first whole sentence of a text; None when it has not ended yet."""
    ends = [text.find(mark) for mark in (". ", ".\n", "? ", "! ")]
    found = [end for end in ends if end > 0]
    return text[: min(found) + 1] if found else None
