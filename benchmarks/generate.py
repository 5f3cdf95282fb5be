"""Sampling: tokens per second against `transformers`' own generate, on ragged prompts and completions.

    python benchmarks/generate.py [--model FOLDER --questions FILE] [--prompts 64 --samples 8] [--rounds 3]

Both sample the same number of completions of the same prompts from the same model at temperature 1, in turns; the best
round of each counts. The peer gets what was fastest on the CPU: one call for all rows (in four calls it took a fifth
longer), a static cache (the dynamic one took 7 % longer, eager attention 16 %). It decodes finished
rows until the longest is done, and encodes a prompt for each sample: that is what is measured.
"""

from __future__ import annotations

import time

import torch
from workload import arguments, load, machine, report

from echochamber.models.forward import pad_left
from echochamber.sampling.draw import is_end
from echochamber.sampling.generate import generate
from echochamber.sampling.prompts import end_and_padding
from echochamber.settings import Sampling


def main() -> None:
    args = arguments(__doc__.splitlines()[0], prompts=64, samples=8, rounds=3, max_new_tokens=112)
    model, tokenizer, _, prompts = load(args)
    prompts = prompts[: args.prompts]
    eos, pad = end_and_padding(tokenizer)
    sampling = Sampling(temperature=1.0, max_new_tokens=args.max_new_tokens)

    def ours(seed: int) -> int:
        drawn = generate(
            model,
            prompts,
            samples=args.samples,
            sampling=sampling,
            eos=eos,
            pad=pad,
            generator=torch.Generator().manual_seed(seed),
        )
        return sum(map(len, drawn.completions))

    peer = {
        "max_new_tokens": args.max_new_tokens,
        "do_sample": True,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "num_return_sequences": args.samples,
        "cache_implementation": "static",
        "disable_compile": model.device.type == "cpu",
        "eos_token_id": list(eos),
        "pad_token_id": pad,
    }
    ids, mask = pad_left(prompts, pad, model.device)

    @torch.inference_mode()
    def theirs(seed: int) -> int:
        torch.manual_seed(seed)
        drawn = model.generate(ids, attention_mask=mask.long(), **peer)[:, ids.shape[1] :]
        ended = is_end(drawn, eos)
        return int((ended.cumsum(1) - ended.long() == 0).sum())

    rounds: dict[str, list[tuple[int, float]]] = {"echochamber": [], "transformers": []}
    for seed in range(args.rounds + 1):  # the first round warms up
        for name, sample in (("echochamber", ours), ("transformers", theirs)):
            started = time.perf_counter()
            tokens = sample(seed)
            if seed:
                rounds[name].append((tokens, time.perf_counter() - started))
                print(f"{name}: {tokens} tokens in {rounds[name][-1][1]:.2f} s", flush=True)
    speed = {name: max(tokens / seconds for tokens, seconds in seen) for name, seen in rounds.items()}
    report(
        {
            "benchmark": "generate",
            "tokens_per_second": speed,
            "ratio": speed["echochamber"] / speed["transformers"],
            "completions": args.prompts * args.samples,
            "prompt_tokens_mean": sum(map(len, prompts)) / len(prompts),
            "completion_tokens_mean": rounds["echochamber"][-1][0] / (args.prompts * args.samples),
            "peer_settings": peer,
            **machine(model, args.threads),
        }
    )


main()
