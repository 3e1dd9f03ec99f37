"""DeepSpeed engine of one rank: start and end, gradient norm, and its state into and out of a checkpoint.

All of DeepSpeed that the loop needs is behind these functions, so that its surprises have one place.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import deepspeed
import torch
from safetensors.torch import save_file
from torch import distributed, nn

from corpus import storage
from corpus.errors import CorpuscleError, DiskError
from train.checkpoint.store import TAG, WEIGHTS
from train.checkpoint.universal import STATES, UniversalCopy
from train.config import AnyShape, TrainConfig
from train.foreign import ForeignShape
from train.loop.deepspeed_config import EngineOptions, build_optimizer, deepspeed_config
from train.loop.meeting import meet
from train.loop.rank_files import RankFiles, raise_failures
from train.model.foreign import ForeignLM, build_foreign, check_masks
from train.model.gpt import GPT, build_model, load_initial

Decided = TypeVar("Decided")

# A rank that waits this long for another has lost it. The slowest writes and hashes its part of a checkpoint meanwhile.
PATIENCE = timedelta(minutes=30)
UNIVERSAL_INFO = {"universal_checkpoint_version": 0.4}  # lets ds_to_universal convert ZeRO-1 and 2 checkpoints


def start_distributed(device: torch.device, say: Callable[[str], None] = lambda line: None) -> None:
    """Join the other ranks, named by RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, with this rank's device.

    Raises CorpuscleError when some do not come; `say` tells meanwhile who is missing.
    """
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if distributed.is_initialized():  # of a process that trains again
        return
    if (store := meet(say, patience=PATIENCE)) is not None:  # DeepSpeed takes up what is there
        rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        distributed.init_process_group(backend, store=store, rank=rank, world_size=ranks, timeout=PATIENCE)
    # DeepSpeed would first compile its shared-memory collectives, for minutes, and a kill meanwhile leaves a
    # lock that hangs every later start. gloo does the same sums.
    if device.type == "cpu":
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(backend, timeout=PATIENCE, verbose=False)


def decided_by_first(decide: Callable[[], Decided]) -> Decided:
    """Return on all ranks what rank 0 decides; an error of ours, or of the disk, is raised on all of them."""
    found: list[Any] = [None]
    if distributed.get_rank() == 0:
        try:
            found = [decide()]
        except CorpuscleError as error:
            found = [error]
        except OSError as error:
            found = [DiskError(str(error))]
    distributed.broadcast_object_list(found)
    if isinstance(found[0], CorpuscleError):
        raise found[0]
    decision: Decided = found[0]
    return decision


def finish_distributed() -> None:
    """Wait until every rank has done all of its work; on all ranks together, as their last collective.

    Rank 0 holds the store that the others talk to and publishes the last checkpoint: none goes before it.
    """
    distributed.barrier()
    if distributed.get_backend() == "nccl":  # it wants to be told; gloo's groups race with the other rank's
        distributed.destroy_process_group()


def ask_for_same_bits() -> None:
    """Have torch refuse what gives other bits each time; where there is another way, it takes that."""
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


def build_engine(
    config: TrainConfig,
    shape: AnyShape,
    device: torch.device,
    *,
    universal: bool = False,
    initial: str | None = None,
    logs: str = ".",
) -> Any:
    """Return the DeepSpeed engine around a model with fresh weights, or those of the file `initial`.

    `universal` as in `load_universal`.
    """
    if isinstance(shape, ForeignShape):
        model: GPT | ForeignLM = _foreign(shape, config, initial)
    else:
        model = build_model(shape, config.seed, device)
    if isinstance(model, GPT):
        model.activation_checkpointing = config.activation_checkpointing
        if initial is not None:
            load_initial(model, initial)
    model = model.to(device)
    if config.compile:
        torch._dynamo.config.fail_on_recompile_limit_hit = True  # else the layers above run uncompiled, unsaid
        for block in model.blocks if isinstance(model, GPT) else model.layers():
            block.compile()
    return wrap_model(model, config, universal=universal, logs=logs)


def _foreign(shape: ForeignShape, config: TrainConfig, initial: str | None) -> ForeignLM:
    """Return a model of transformers' library with what the configuration asks of it."""
    model = build_foreign(shape, seed=config.seed, initial=initial)
    if config.document_mask:
        check_masks(model)
    if config.activation_checkpointing:
        model.checkpoint_activations()
    return model


def wrap_model(model: nn.Module, config: EngineOptions, *, universal: bool = False, logs: str = ".") -> Any:
    """Return the DeepSpeed engine around a model on its device; parameters without gradient stay as they are."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    settings = deepspeed_config(config, universal=universal and config.zero_stage > 0, logs=logs)
    return deepspeed.initialize(model=model, optimizer=build_optimizer(trained, config), config=settings)[0]


def set_learning_rate(engine: Any, rate: float) -> None:
    """Set the rate of the coming optimizer step."""
    for group in engine.optimizer.param_groups:
        group["lr"] = rate


def begin_step(engine: Any, micro_steps: int) -> None:
    """Say of how many micro-steps the coming optimizer step is the mean."""
    engine.set_train_batch_size(micro_steps * engine.train_micro_batch_size_per_gpu() * engine.dp_world_size)


def begin_micro_step(engine: Any, *, last: bool) -> None:
    """Say whether the optimizer step is done behind the coming micro-step.

    DeepSpeed would take the remainder of all micro-steps that it ever did, which is wrong once steps have had others.
    """
    engine.set_gradient_accumulation_boundary(last)


def gradient_norm(engine: Any) -> float | None:
    """Return the global norm of the last step's gradients; None where DeepSpeed does not compute it (no clip)."""
    norm = engine.get_global_grad_norm()
    return None if norm is None else float(norm)


def save_state(engine: Any, folder: str, *, step: int) -> None:
    """Write the engine's whole state, and the weights alone, into a directory; on all ranks together.

    Raises DiskError on all ranks when one of them could not write.
    """
    files = write_state(engine, folder, step=step)
    of_ranks: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(of_ranks, files.failures)
    raise_failures(of_ranks)


def write_state(engine: Any, folder: str, *, step: int, later: bool = False) -> RankFiles:
    """Write the engine's whole state, and the weights alone, into a directory; return this rank's files.

    On all ranks together, which go on whatever one of them could not write. With `later` it is a copy that is made,
    and `RankFiles.finish` writes it.
    """
    files = RankFiles(folder, later=later, offloaded=bool(engine.zero_offload_optimizer()))
    client_state = {"step": step, "universal_checkpoint_info": UNIVERSAL_INFO}
    with _writing_through(engine, files):
        engine.save_checkpoint(folder, tag=TAG, client_state=client_state, save_latest=False)
    tensors = whole_weights(engine)
    if distributed.get_rank() == 0 and not files.failures:
        path = storage.join(folder, WEIGHTS)
        # One key of metadata: safetensors writes several in any order.
        files.do(lambda: save_file(tensors, path, metadata={"format": "pt"}), path)
    return files


@contextmanager
def _writing_through(engine: Any, files: RankFiles) -> Iterator[None]:
    """Have what DeepSpeed writes go through the rank's files: one that fails goes on to the barriers of all."""
    own = engine.checkpoint_engine
    write, make, copy = own.save, own.makedirs, engine._copy_recovery_script
    own.save = lambda state_dict, path: files.save(state_dict, path, write)
    own.makedirs = lambda *arguments, **named: files.noting(lambda: make(*arguments, **named))
    engine._copy_recovery_script = lambda path: files.noting(lambda: copy(path))
    try:
        yield
    finally:
        del own.save, own.makedirs, engine._copy_recovery_script


def load_state(engine: Any, folder: str, *, step: int) -> None:
    """Load a checkpoint whose hashes were verified; on all ranks together."""
    path, client_state = engine.load_checkpoint(folder, tag=TAG, load_lr_scheduler_states=False)
    assert path is not None, "DeepSpeed found nothing to load"
    assert client_state["step"] == step, "the directory's name, checkpoint.json and DeepSpeed's state agree"
    if hasattr(engine.optimizer, "clip_grad"):  # DeepSpeed goes on with the limit of before, whatever it was told
        engine.optimizer.clip_grad = engine.gradient_clipping()
    if not engine.zero_optimization_stage():
        # Pickle repeats a string that is another object: with the names as they were, so are the next file's bytes.
        for parameter, values in list(engine.optimizer.state.items()):
            engine.optimizer.state[parameter] = {sys.intern(name): value for name, value in values.items()}


def load_universal(engine: Any, folder: str, *, step: int) -> None:
    """Load a universal copy, made by any number of ranks with any ZeRO stage; on all ranks together."""
    copy = UniversalCopy(folder=storage.join(folder, TAG))
    if engine.zero_optimization_stage():
        load_state(engine, folder, step=step)
        optimizer = engine.optimizer.optimizer
    else:  # DeepSpeed loads universal copies into ZeRO optimizers only
        optimizer = engine.optimizer
        for name, parameter in engine.module.named_parameters():
            parameter.data.copy_(copy.read(name, "fp32"))
            moments = {kind: copy.read(name, kind).to(parameter.device) for kind in STATES[1:]}
            optimizer.state[parameter] = moments
        engine.global_steps = step
    # ZeRO-3 gives all its groups one tensor of steps, which each of them would count up; fused AdamW wants it
    # beside the weights.
    for parameter in optimizer.state:
        optimizer.state[parameter]["step"] = copy.step().to(parameter.device if parameter.is_cuda else "cpu")


def whole_weights(engine: Any) -> dict[str, torch.Tensor]:
    """Return all weights on rank 0, gathered parameter by parameter where ZeRO-3 shards them; {} elsewhere."""
    tensors = {}
    module: nn.Module = engine.module
    for name, parameter in module.named_parameters():
        with deepspeed.zero.GatheredParameters([parameter], enabled=hasattr(parameter, "ds_id")):
            if distributed.get_rank() == 0:
                tensors[name] = parameter.detach().cpu().clone().contiguous()
    return tensors
