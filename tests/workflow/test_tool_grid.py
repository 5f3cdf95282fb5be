"""A tool while decoding through Snakemake: real outputs stand where a model would invent them, in RL and evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from workflow_grid import Grid

from echochamber.data.tokenizer import train_bpe
from echochamber.models.encoding import encode

BLOCK = "Code.\n<llm-code>\n2 * 21\n</llm-code>"
INVENTED = "\n<llm-code-output>\n43\n</llm-code-output>\n"
REAL = "\n<llm-code-output>\n42\n</llm-code-output>\n"
AFTER = "So \\boxed{42}."
PROMPT = "Where is A?\n\n"


def scripted(tokenizer) -> GPT2LMHeadModel:
    """A model that reads nothing but where it is, and writes one text behind prompts as long as `PROMPT`.

    Its position embeddings are unit vectors, its only layer adds nothing, and the row of a token in the last matrix is
    large where the position before the token's own is.
    """
    start = len(encode(tokenizer.backend_tokenizer, [PROMPT])[0])
    text = encode(tokenizer.backend_tokenizer, [BLOCK + INVENTED + AFTER])[0] + [tokenizer.eos_token_id]
    places = start + len(text)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=places + 40,
            n_embd=places + places % 2,
            n_layer=1,
            n_head=2,
            tie_word_embeddings=False,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
        for norm in (model.transformer.h[0].ln_1, model.transformer.h[0].ln_2, model.transformer.ln_f):
            norm.weight.fill_(1)
        for place in range(places):
            model.transformer.wpe.weight[place, place] = 10
        for i, token in enumerate(text):
            model.lm_head.weight[token, start + i - 1] = 10
    return model


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = Grid(tmp_path_factory.mktemp("tool"), "tool")
    grid.file.write_text(Path(__file__).with_name("tool.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    for split, places in (("train", "ABCDEFGH"), ("test", "YZ")):
        rows = [{"question": f"Where is {place}?", "answer": "42"} for place in places]
        (grid.folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tokenizer = train_bpe([BLOCK + REAL + AFTER] * 20, 300)
    lengths = {len(encode(tokenizer.backend_tokenizer, [f"Where is {place}?\n\n"])[0]) for place in "ABCDEFGHYZ"}
    assert len(lengths) == 1
    assert len({len(encode(tokenizer.backend_tokenizer, [shown])[0]) for shown in (REAL, INVENTED)}) == 1
    for part in (scripted(tokenizer), tokenizer):
        part.save_pretrained(grid.folder / "scripted")
    return grid


def samples(grid, benchmark: str, of: str = "imported/scripted") -> pd.DataFrame:
    return pd.read_parquet(grid.results / f"evals/{of}/{benchmark}/samples.parquet")


def test_the_model_invents_an_output_when_it_is_alone(done, grid):
    rows = samples(grid, "alone")
    assert set(rows["completion"]) == {BLOCK + INVENTED + AFTER}
    assert not rows["flags"].str.contains("tool").any()
    assert (rows["logprob"].abs() < 1e-3).all()


def test_with_the_tool_the_real_output_stands_there_and_is_marked(done, grid):
    rows = samples(grid, "tool")
    assert set(rows["completion"]) == {BLOCK + REAL + AFTER}
    assert rows["flags"].str.contains("tool").all()
    assert set(rows["format"]) == {"omi1"}


@pytest.mark.parametrize("algorithm", ["tool", "alone"])
def test_rl_with_and_without_it_rewards_the_box_and_moves_nothing(done, grid, algorithm):
    """Every completion of a group earns the same, so that there is no advantage: inserted tokens are no other."""
    run = f"imported/scripted/{algorithm}/places/seed0"
    metrics = pd.read_csv(grid.results / f"runs/{run}/metrics.csv")
    assert (metrics["reward_mean"] == 1).all()
    assert metrics["kl"].abs().max() < 1e-3
    assert set(samples(grid, "alone", run)["completion"]) == {BLOCK + INVENTED + AFTER}
