"""PPO's critic: a copy of the policy whose output matrix is replaced by one number."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from echochamber.models.forward import LanguageModel, completion_states


class Critic(LanguageModel):
    """The value of each state, the reward that is expected from there on.

    The scalar head starts at zero: every value is 0 until it has learned otherwise, and nothing is drawn.
    """

    def __init__(self, policy: PreTrainedModel, *, recompute: bool = False, compile: bool = False) -> None:
        super().__init__(copy.deepcopy(policy), recompute=recompute, compile=compile)
        self.model.requires_grad_(False)
        self.model.base_model.requires_grad_(True)
        width = self.model.get_output_embeddings().in_features
        self.value_head = nn.Linear(width, 1, device=self.device, dtype=torch.float32)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)

    def states(self, ids: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None) -> Tensor:
        arguments: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        arguments |= {"past_key_values": cache, "use_cache": cache is not None}
        states: Tensor = self.model.base_model(**arguments).last_hidden_state
        return states

    def values(self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], pad: int) -> Tensor:
        """The value before each completion token, (rows, tokens), 0 on padding."""
        states, _, mask = completion_states(self, prompts, completions, pad)
        flat = self.value_head(states).float()[:, 0]
        return torch.zeros(mask.shape, device=self.device).masked_scatter(mask, flat)

    def parameters(self) -> Iterator[nn.Parameter]:
        yield from self.model.base_model.parameters()
        yield from self.value_head.parameters()

    def state_dict(self) -> dict[str, Any]:
        return {"body": self.model.base_model.state_dict(), "head": self.value_head.state_dict()}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.model.base_model.load_state_dict(saved["body"])
        self.value_head.load_state_dict(saved["head"])
