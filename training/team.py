"""Several processes that train one network together: each on its own batches, with the mean of all gradients.

On two cores this uses both: painting and training of a process take turns, and no thread waits at a barrier inside an
operator.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import ProcessExitedException, start_processes

from stream_retouch.errors import StreamRetouchError
from training.stopping import Stopping


def start(count: int, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Runs work(rank, *arguments) in `count` processes and waits for them.

    What one of them raises is raised; but an error that is a sentence for the user was told there, and ends this
    process with status 1.

    Ctrl-C reaches the processes too, which end as they see fit; this one only waits. When this one is killed torch
    sends them the same signal.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = (count, port, work, arguments)
    members = start_processes(_member, given, count, join=False)  # type: ignore[no-untyped-call]
    with Stopping(signal.SIGINT):
        try:
            while not members.join():
                pass
        except ProcessExitedException as problem:
            raise SystemExit(problem.exit_code) from None


def mean_gradients(model: nn.Module) -> None:
    """Replaces every gradient by its mean over the team; alone it does nothing."""
    if not dist.is_initialized():
        return
    grads = [p.grad for p in model.parameters() if p.requires_grad]
    # a parameter that this batch did not use has no gradient, and all must send alike
    held = [
        torch.zeros_like(p) if g is None else g
        for p, g in zip((p for p in model.parameters() if p.requires_grad), grads, strict=True)
    ]
    flat = torch.cat([g.flatten() for g in held])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    at = 0
    for parameter in (p for p in model.parameters() if p.requires_grad):
        count = parameter.numel()
        parameter.grad = flat[at : at + count].reshape(parameter.shape)
        at += count


def agreed(ended: bool) -> bool:
    """Whether any of the team has come to the end: all must stop at the same step."""
    if not dist.is_initialized():
        return ended
    flag = torch.tensor(float(ended))
    dist.all_reduce(flag)
    return bool(flag > 0)


def _member(
    rank: int, count: int, port: int, work: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=count)
    try:
        work(rank, *arguments)
        dist.barrier()  # who leaves first takes the meeting point with it, and the others may abort
    except StreamRetouchError as problem:
        print(problem, file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    finally:
        dist.destroy_process_group()
