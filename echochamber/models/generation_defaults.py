"""What a model's own generation_config says, and how much of it counts here: which tokens end a completion.

The rest (repetition_penalty, no_repeat_ngram_size, suppress_tokens, temperature, ...) is left out when a model is
loaded, and so in every checkpoint that is kept: the grid file alone says how completions are drawn, RL needs the
probabilities of what it samples, which a penalty changes, and `generate` of transformers then writes from a kept
checkpoint what the grid measured. Imports no torch.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel

log = logging.getLogger(__name__)

OF_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")


def end_tokens(tokenizer: Any, generation: GenerationConfig | None) -> tuple[int, ...]:
    """Ids of all tokens that end a completion: the tokenizer's, and those of a model's generation_config."""
    more = generation.eos_token_id if generation else None
    return tuple(dict.fromkeys([tokenizer.eos_token_id, *([more] if isinstance(more, int) else more or [])]))


def keep_end_tokens_alone(model: PreTrainedModel, tokenizer: Any) -> None:
    """Reduce the model's generation_config to its tokens; the log names what it says besides."""
    from transformers import GenerationConfig

    own = model.generation_config
    said = own.to_diff_dict() if own else {}
    left_out = {key: said[key] for key in sorted(said) if key not in (*OF_TOKENS, "transformers_version")}
    if left_out:
        log.info("generation_config: left out %s", ", ".join(f"{key} {value}" for key, value in left_out.items()))
    ends = end_tokens(tokenizer, own)
    model.generation_config = GenerationConfig(
        bos_token_id=said.get("bos_token_id"),
        eos_token_id=ends[0] if len(ends) == 1 else list(ends),
        pad_token_id=tokenizer.pad_token_id,
    )
