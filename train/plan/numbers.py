"""Numbers of a training plan for programs, `plan --json`: what the text says, in units that the names tell."""

import json
from typing import Any

from train.plan.communication import REACHES
from train.plan.forecast import TrainingPlan
from train.plan.memory import checkpoint_bytes, export_bytes


def plan_json(plan: TrainingPlan) -> str:
    """Return a plan as the text of one JSON object."""
    config, rows = plan.config, plan.micro_batch
    gpu_hours = plan.days * plan.gpus * 24
    found: dict[str, Any] = {
        "parameters": plan.shape.num_parameters,
        "steps": config.steps,
        "tokens_a_step": config.batch_rows * plan.shape.seq_length,
        "trained_tokens": plan.trained_tokens,
        "flops": plan.flops,
        "epochs": plan.epochs,
        "gpu": plan.gpu.name,
        "gpus": plan.gpus,
        "mfu": plan.mfu,
        "tokens_per_second": plan.tokens_per_second,
        "days": plan.days,
        "gpu_hours": gpu_hours,
        "cost": None if plan.price is None else gpu_hours * plan.price,
        "kwh": plan.energy.kwh,
        "kg_co2": plan.energy.kg_co2,
        "micro_batch": rows,
        "zero_stage": config.zero_stage,
        "memory_bytes_by_zero_stage": {
            stage: None if (memory := plan.memory(stage, rows)) is None else memory.total for stage in range(4)
        },
        "largest_micro_batch_by_zero_stage": {stage: plan.largest_micro_batch(stage) for stage in range(4)},
        "network_gbps": plan.network_gbps,
        "scaling": _scaling(plan),
        "checkpoint_bytes": checkpoint_bytes(plan.shape, config.precision, config.zero_stage),
        "save_async_host_bytes_rank_0": plan.snapshot(first=True) if config.save_async else 0,
        "export_bytes": export_bytes(plan.shape),
    }
    return json.dumps(found, indent=1)


def _scaling(plan: TrainingPlan) -> dict[int, dict[str, float]]:
    """Return what more GPUs reach, by their number."""
    return {
        one.gpus: {
            "tokens_per_second": one.tokens_per_second,
            "compute_seconds_a_step": one.computing,
            "communication_seconds_a_step": one.communication,
        }
        for gpus in REACHES
        if (one := plan.reach(gpus)) is not None
    }
