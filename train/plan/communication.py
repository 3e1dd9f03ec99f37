"""Communication of a training step: what each ZeRO stage sends between GPUs, and how long they wait for it; no torch.

Of N parameters in w bytes (2 in bf16), with sums of gradients in fp32, one optimizer step of A micro-steps sends

    ZeRO-0   an all-reduce of 4N
    ZeRO-1   an all-reduce of 4N behind the last backward pass, an all-gather of wN
    ZeRO-2   an all-reduce of 4N in each of A micro-steps, an all-gather of wN
    ZeRO-3   a reduce-scatter of 4N and at most two all-gathers of wN in each of A micro-steps

as counted in real steps of 2 and 4 ranks (`tests/train/plan/test_communication.py`). In a ring of W ranks each of them
sends (W-1)/W of what is gathered or scattered, and twice that of what is reduced for all (Patarasuk and Yuan, 2009).
Nothing of it is done beside computing: `overlap_comm` is off (`train.loop.deepspeed_config` says why).
"""

from dataclasses import dataclass

from train.config import AnyShape
from train.plan.memory import padded_parameters

MACHINE_GPUS = 8  # of one machine
NETWORK_GBPS = 3200.0  # eight cards of 400 Gbit/s, as an NVIDIA DGX H100 has
REACHES = (8, 32, 128)  # GPUs that a plan tells the speed of
LARGE_SHARE = 0.05  # of a step, from which on communication should be hidden


@dataclass(frozen=True, kw_only=True, slots=True)
class StepTraffic:
    """Bytes that one optimizer step sends: of tensors that are summed for all ranks, gathered, or summed in shares."""

    all_reduced: int
    gathered: int
    scattered: int

    def sent(self, ranks: int) -> float:
        """Return the bytes that one rank of a ring sends."""
        return (2 * self.all_reduced + self.gathered + self.scattered) * (ranks - 1) / ranks


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """How GPUs are connected: inside of a machine, each in one direction; between machines, all cards of one."""

    link_gb_s: float  # [10^9 bytes a second]
    machine_gbps: float  # [10^9 bits a second]

    def bytes_a_second(self, gpus: int) -> float:
        """Return the speed of a ring of so many GPUs: that of its slowest part."""
        between = self.machine_gbps / 8 if gpus > MACHINE_GPUS else self.link_gb_s
        return 1e9 * min(self.link_gb_s, between)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """What a number of GPUs reaches: seconds of a step, and its tokens."""

    gpus: int
    computing: float  # [seconds]
    communication: float  # [seconds]
    step_tokens: int

    @property
    def tokens_per_second(self) -> float:
        """Return the throughput of all GPUs."""
        return self.step_tokens / (self.computing + self.communication)

    @property
    def share(self) -> float:
        """Return the share of a step that communication takes: what is missing from linear scaling."""
        return self.communication / (self.computing + self.communication)


def step_traffic(shape: AnyShape, *, stage: int, precision: str, micro_steps: int) -> StepTraffic:
    """Return what one optimizer step of `micro_steps` sends at a ZeRO stage."""
    sums, weights = 4 * padded_parameters(shape), (2 if precision == "bf16" else 4) * padded_parameters(shape)
    if stage == 3:
        return StepTraffic(all_reduced=0, gathered=2 * weights * micro_steps, scattered=sums * micro_steps)
    reduced = sums * (micro_steps if stage == 2 else 1)
    return StepTraffic(all_reduced=reduced, gathered=weights if stage else 0, scattered=0)
