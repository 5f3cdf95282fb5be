"""Would training several seeds at once pay? Forward and backward of stacked models against one after another.

    python benchmarks/stacked_seeds.py [--model FOLDER --questions FILE] [--seeds 16] [--rows 8 --tokens 60]

`torch.func`: the weights of all seeds in one tensor each, the pass vectorised over them. `seeds_per_job` would be a
setting if this gave four times the speed; the last line says what it gives.
"""

from __future__ import annotations

import copy
import time

import torch
from torch.func import functional_call, grad, stack_module_state, vmap
from workload import arguments, load, machine, report


def main() -> None:
    args = arguments(__doc__.splitlines()[0], seeds=16, rows=8, tokens=60, rounds=3)
    model, *_ = load(args)
    models = [copy.deepcopy(model) for _ in range(args.seeds)]
    weights, buffers = stack_module_state(models)
    ids = torch.randint(3, model.config.vocab_size, (args.seeds, args.rows, args.tokens), device=model.device)
    later = torch.ones(args.tokens, args.tokens, dtype=torch.bool, device=model.device).triu(1)
    mask = torch.zeros(later.shape, device=model.device).masked_fill(later, -1e9).expand(args.rows, 1, -1, -1)
    positions = torch.arange(args.tokens, device=model.device).expand(args.rows, -1)

    def loss(weights, buffers, ids):
        inputs = {"input_ids": ids, "position_ids": positions, "attention_mask": mask, "use_cache": False}
        return functional_call(model, (weights, buffers), (), inputs).logits.logsumexp(-1).mean()

    gradients = vmap(grad(loss))

    def stacked() -> None:
        gradients(weights, buffers, ids)

    def one_by_one() -> None:
        for one, rows in zip(models, ids, strict=True):
            one.zero_grad()
            one(input_ids=rows, position_ids=positions, attention_mask=mask, use_cache=False).logits.logsumexp(
                -1
            ).mean().backward()

    seconds = {}
    for name, run in (("stacked", stacked), ("one_by_one", one_by_one)) * args.rounds:
        started = time.perf_counter()
        run()
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        seconds[name] = min(seconds.get(name, float("inf")), time.perf_counter() - started)
    report(
        {
            "benchmark": "stacked_seeds",
            "seconds": seconds,
            "ratio": seconds["one_by_one"] / seconds["stacked"],
            "seeds": args.seeds,
            "rows": args.rows,
            "tokens": args.tokens,
            **machine(model, args.threads),
        }
    )


main()
