"""Learning rate schedule, a pure function of the step: linear warm-up from 0, then half a cosine down.

This is Composer's `CosineAnnealingWithWarmupScheduler`, with which BioMedLM was trained: step 0 has the rate
0, step `warmup_steps` the peak, and the cosine spans the remaining steps.
"""

import math


def learning_rate(step: int, *, peak: float, warmup_steps: int, total_steps: int, final_fraction: float) -> float:
    """Return the rate of a step, counted from 0; from `total_steps` on it stays at its final value."""
    if step < warmup_steps:
        return peak * step / warmup_steps
    done = (step - warmup_steps) / (total_steps - warmup_steps) if step < total_steps else 1.0
    cosine = 0.5 * (1.0 + math.cos(math.pi * done))
    return peak * (final_fraction + (1.0 - final_fraction) * cosine)
