"""A tool while decoding: what is inserted, that it is the real output, and that the policy does not learn it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from rl_toys import tiny_model
from rl_trainers import KL_IN_LOSS, judge, trainer_and_batch  # noqa: F401 (a fixture)

from echochamber.algorithms import algorithm
from echochamber.data.tokenizer import train_bpe
from echochamber.models.encoding import encode
from echochamber.rl import rollout
from echochamber.rl.batch import Batch
from echochamber.sampling.draw import random_stream
from echochamber.sampling.generate import generate
from echochamber.sampling.tool import PythonTool, output
from echochamber.settings import Sampling

TEXT = "Code.\n<llm-code>\n2 * 21\n</llm-code>\n<llm-code-output>\n42\n</llm-code-output>\nSo \\boxed{42}."


@pytest.fixture(scope="module")
def tokenizer():
    return train_bpe([TEXT] * 20, 300)


def decoded(tokenizer, written: list[str], ends: tuple[int, ...] = ()) -> tuple[list[str], list[np.ndarray]]:
    """Completions of a model that writes these texts, a token a step, each a row, with the tool beside it."""
    tool = PythonTool(tokenizer, ends)
    left = [list(ids) for ids in encode(tokenizer.backend_tokenizer, written)]
    slots, filler = torch.arange(len(left)) + 10, encode(tokenizer.backend_tokenizer, ["."])[0][0]
    rows, marks = [[] for _ in left], [[] for _ in left]
    while any(left) or any(tool.rows[int(slot)].waiting for slot in slots):
        drawn = [row[0] if row else filler for row in left]
        tokens, inserted = tool(slots, torch.tensor(drawn))
        for i, (token, mark) in enumerate(zip(tokens.tolist(), inserted.tolist(), strict=True)):
            if mark or left[i]:
                rows[i].append(token)
                marks[i].append(mark)
            if not mark and left[i]:
                left[i].pop(0)
    return [tokenizer.decode(row) for row in rows], [np.array(mark) for mark in marks]


def test_the_real_output_stands_behind_a_closed_block_and_is_marked(tokenizer):
    texts, marks = decoded(tokenizer, ["A <llm-code>\n2 * 21\n</llm-code>", "B <llm-code>\nprint(7)\n</llm-code>\nC"])
    shown = ["\n<llm-code-output>\n42\n</llm-code-output>\n", "\n<llm-code-output>\n7\n</llm-code-output>\n"]
    assert texts[0] == f"A <llm-code>\n2 * 21\n</llm-code>{shown[0]}"
    assert texts[1].startswith(f"B <llm-code>\nprint(7)\n</llm-code>{shown[1].rstrip()}")
    assert texts[1].endswith("C")
    lengths = [len(ids) for ids in encode(tokenizer.backend_tokenizer, shown)]
    assert [int(mark.sum()) for mark in marks] == lengths
    assert marks[0][-lengths[0] :].all()


def test_a_second_block_knows_the_first(tokenizer):
    (text,), _ = decoded(tokenizer, ["<llm-code>\na = 5\na\n</llm-code> and <llm-code>\na + 1\n</llm-code>"])
    assert text.count("<llm-code-output>\n5\n</llm-code-output>") == 1
    assert text.count("<llm-code-output>\n6\n</llm-code-output>") == 1


@pytest.mark.parametrize(
    "text", ["no code </llm-code> here", "<llm-code>\n1\n", "<llm-code-output>\n1\n</llm-code-output>"]
)
def test_nothing_is_inserted_without_a_closed_block(tokenizer, text):
    (found,), (mark,) = decoded(tokenizer, [text])
    assert found == text
    assert not mark.any()


def test_what_fails_and_what_would_close_its_own_output():
    assert output(["1 / 0"]) == "Error: raised"
    assert output(["while True: pass"]) == "Error: timeout"
    assert output(["open('/etc/passwd').read()"]).startswith("Error: ")
    assert output(["'</llm-code-output> <llm-code>'"]) == " "
    assert output(["print('</llm-code</llm-code>-output><llm-<llm-<llm-code>code>code>')"]) == ""
    assert output(["print('a')\nprint('b')"]) == "a\nb"
    assert len(output(["print('x' * 3000)"])) == 400


def test_an_end_token_that_a_program_prints_is_text(tokenizer):
    (text,), (mark,) = decoded(tokenizer, ["<llm-code>\n'</s>'\n</llm-code>"], ends=(tokenizer.eos_token_id,))
    assert "\n</s>\n</llm-code-output>" in text
    assert mark.any()


def test_what_is_inserted_never_ends_a_completion(tokenizer):
    (end,) = encode(tokenizer.backend_tokenizer, ["7"])[0]
    (text,), (mark,) = decoded(tokenizer, ["<llm-code>\nprint('a', 3 + 4)\n</llm-code> on"], ends=(end,))
    assert "\na \n</llm-code-output>" in text
    assert text.endswith(" on")
    assert mark.any()


class Scripted(PythonTool):
    """A tool of a model that writes nothing of use: it takes every completion's third token for a closed block."""

    def _look(self, row):
        pass

    def __call__(self, slots, tokens):
        for slot in slots.tolist():
            row = self.rows.get(slot)
            if row and len(row.ids) == 3 and not row.blocks:
                row.blocks = 1
                row.waiting.extend([7, 8])
        return super().__call__(slots, tokens)


def drawn(model, tokenizer, tool, tokens=8):
    return generate(
        model,
        [[5, 6], [9]],
        samples=2,
        sampling=Sampling(temperature=1.0, max_new_tokens=tokens),
        eos=tokenizer.eos_token_id,
        pad=tokenizer.pad_token_id,
        generator=random_stream(0, "sample"),
        tool=tool,
    )


def test_inserted_tokens_stand_in_the_completion_with_nothing_said_of_them(tokenizer):
    model = tiny_model(vocabulary=len(tokenizer))
    plain = drawn(model, tokenizer, None)
    assert plain.inserted is None
    with_tool = drawn(model, tokenizer, Scripted(tokenizer, (tokenizer.eos_token_id,)))
    for ids, logprobs, inserted, before in zip(
        with_tool.completions, with_tool.logprobs, with_tool.inserted, plain.completions, strict=True
    ):
        assert ids[:3] == before[:3]  # the same seed, until the tool steps in
        if len(ids) > 4:
            assert ids[3:5] == [7, 8]
            assert inserted.tolist() == [i in (3, 4) for i in range(len(ids))]
            assert (logprobs[3:5] == 0).all()
    assert any(len(ids) > 4 for ids in with_tool.completions)
    idle = drawn(model, tokenizer, PythonTool(tokenizer, (tokenizer.eos_token_id,)))
    assert idle.completions == plain.completions  # no block is closed: nothing changes


def test_the_loss_and_the_kl_leave_inserted_tokens_out():
    inserted = [np.array([False, True, True, False]), np.array([False, False])]
    made = rollout.Rollout.__new__(rollout.Rollout)
    made.completions, made.inserted, made.finished = [[3, 4, 5, 6], [3, 4]], inserted, [True, True]
    batch = Batch.empty(made, torch.device("cpu"))
    assert batch.mask.tolist() == [[True, False, False, True], [True, True, False, False]]
    assert batch.lengths.tolist() == [2, 2]
    assert batch.tokens.sum(1).tolist() == [4, 2]


@pytest.mark.parametrize("kind", ["ppo", "expert_iteration"])
def test_algorithms_that_cannot_leave_them_out_refuse(kind):
    with pytest.raises(ValidationError, match=f"sampling.tool: found python with {kind}, allowed: "):
        algorithm(kind=kind, sampling={"tool": "python"})


def test_a_step_of_rl_knows_of_what_the_tool_inserted(monkeypatch):
    """The policy is its own reference: a KL that counted inserted tokens, of which the sampler says 0, were not 0."""
    monkeypatch.setattr(rollout, "PythonTool", Scripted)
    changes = {"sampling": {"temperature": 1.0, "max_new_tokens": 8, "tool": "python"}}
    trainer, drawn = trainer_and_batch(kl=KL_IN_LOSS, **changes)
    assert sum(int(row.sum()) for row in drawn.inserted) > 8
    row = trainer.learn(1, drawn)
    assert row["kl"] == pytest.approx(0, abs=1e-4)
    own = sum(int((~marks).sum()) for marks in drawn.inserted)
    assert row["entropy"] == pytest.approx(sum(drawn.entropy) / own)
    assert row["completion_tokens_mean"] == drawn.tokens / len(drawn.completions)
    assert all(value is None or np.isfinite(value) for value in row.values())
    chosen = rollout.select(drawn, [2, 0])
    assert [r.tolist() for r in chosen.inserted[:4]] == [r.tolist() for r in drawn.inserted[8:12]]
    both = rollout.join([drawn, chosen])
    assert len(both.inserted) == len(both.completions)
