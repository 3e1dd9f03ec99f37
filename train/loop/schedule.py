"""Learning rate schedule, a pure function of the step: linear warm-up from 0, then half a cosine down; or WSD.

The cosine is Composer's `CosineAnnealingWithWarmupScheduler`, with which BioMedLM was trained: step 0 has the rate
0, step `warmup_steps` the peak, and the cosine spans the remaining steps. WSD (warm-up, stable, decay; arXiv
2404.06395) stays at the peak and falls over the last `decay_steps` as 1 - sqrt, the better form in arXiv 2405.18392:
until then a step does not depend on how many there will be, so one run has branches of several lengths.
"""

import math


def learning_rate(
    step: int,
    *,
    peak: float,
    warmup_steps: int,
    total_steps: int,
    final_fraction: float,
    decay_steps: int | None = None,
) -> float:
    """Return the rate of a step, counted from 0; from `total_steps` on it stays at its final value.

    With `decay_steps` it is WSD's, else the cosine's.
    """
    if step < warmup_steps:
        return peak * step / warmup_steps
    if decay_steps is not None:
        fallen = math.sqrt(min(1.0, max(0.0, (step - (total_steps - decay_steps)) / decay_steps)))
        return peak * (final_fraction + (1.0 - final_fraction) * (1.0 - fallen))
    done = (step - warmup_steps) / (total_steps - warmup_steps) if step < total_steps else 1.0
    cosine = 0.5 * (1.0 + math.cos(math.pi * done))
    return peak * (final_fraction + (1.0 - final_fraction) * cosine)
