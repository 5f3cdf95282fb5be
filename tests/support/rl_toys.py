"""Tiny models and questions for the tests of generation and RL: milliseconds a step."""

import io
from dataclasses import dataclass

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    FalconConfig,
    FalconForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OlmoConfig,
    OlmoForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedTokenizerFast,
)

from echochamber.models import saving
from echochamber.sampling.generate import generate
from echochamber.settings import Sampling
from echochamber.verify.verdict import Verdict

EOS, PAD = 2, 1


def tiny_model(
    architecture: str = "olmo",
    vocabulary: int = 40,
    seed: int = 0,
    sharpness: float = 12.0,
    dropout: float = 0.0,
    width: int = 16,
):
    """Random weights large enough for distributions far from uniform; rows end after some 10 tokens.

    dropout: every kind that opt, bloom, falcon, gpt_neox and llama have (opt: whole layers too).
    """
    common = {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 2 * width,
        "max_position_embeddings": 128,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "bos_token_id": None,
        "tie_word_embeddings": False,
    }
    torch.manual_seed(seed)
    if architecture == "olmo":
        model = OlmoForCausalLM(OlmoConfig(**common))
    elif architecture == "llama":
        model = LlamaForCausalLM(LlamaConfig(**common, num_key_value_heads=2, attention_dropout=dropout))
    elif architecture == "gpt_neox":
        model = GPTNeoXForCausalLM(GPTNeoXConfig(**common, hidden_dropout=dropout, attention_dropout=dropout))
    elif architecture == "opt":
        drops = {"dropout": dropout, "attention_dropout": dropout, "layerdrop": dropout}
        model = OPTForCausalLM(OPTConfig(**common, ffn_dim=32, word_embed_proj_dim=16, **drops))
    elif architecture == "bloom":
        model = BloomForCausalLM(BloomConfig(**common, hidden_dropout=dropout, attention_dropout=dropout))
    elif architecture == "falcon":
        model = FalconForCausalLM(FalconConfig(**common, hidden_dropout=dropout, attention_dropout=dropout))
    elif architecture == "mistral":  # a window shorter than prompt and completion
        model = MistralForCausalLM(MistralConfig(**common, num_key_value_heads=2, sliding_window=6))
    else:
        raise ValueError(architecture)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2:
                weight.mul_(sharpness if "embed" in name else 6.0)
    return model.eval()


def ragged_prompts(count: int, vocabulary: int = 40, seed: int = 0, longest: int = 9) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
    return [torch.randint(3, vocabulary, (n,), generator=generator).tolist() for n in lengths]


def sample(model, prompts, *, seed=0, samples=4, greedy=False, max_rows=None, eos=EOS, fixed=None, **sampling):
    return generate(
        model,
        prompts,
        samples=samples,
        sampling=Sampling(**({"temperature": 1.0, "max_new_tokens": 24} | sampling)),
        greedy=greedy,
        eos=eos,
        pad=PAD,
        generator=torch.Generator().manual_seed(seed),
        max_rows=max_rows,
        fixed_shapes=fixed,
    )


@torch.no_grad()
def plain_logprobs(model, prompt: list[int], completion: list[int], temperature: float) -> torch.Tensor:
    """Log-probabilities of the completion from one unpadded pass without a cache: (tokens,)."""
    logits = model(input_ids=torch.tensor([prompt + completion]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    logprobs = (logits.float() / temperature).log_softmax(-1)
    return logprobs[torch.arange(len(completion)), torch.tensor(completion)]


@dataclass(frozen=True)
class Question:
    question: str
    answer: str
    graph: dict | None = None


QUESTIONS = [Question(f"{a}+{b}?", str(a + b)) for a in range(1, 5) for b in range(1, 4)]


def letters() -> PreTrainedTokenizerFast:
    """A tokenizer of single characters, with the special ones of the project's own tokenizers: 24 tokens."""
    symbols = ["<unk>", "<pad>", "</s>", *"\n+?0123456789abcdefgh"]
    backend = Tokenizer(models.WordLevel({symbol: i for i, symbol in enumerate(symbols)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    backend.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>", eos_token="</s>")


def verify_letters(completions, golds, *, scorer="executed", finished=None, truncated="wrong", stop=None):
    """A toy judge: the format is decided by the first character, and right is what holds an `a`."""
    verdicts = []
    for text in completions:
        name = ("tinygsm", "omi1", "omi2", "text")[ord(text[0]) % 4] if text else "other"
        verdicts.append(
            Verdict(correct="a" in text, format=name, answer=None, answer_key=None, status="ok", flags=frozenset())
        )
    return verdicts


class MemoryState:
    """Stands for `checkpoint.TrainingState`; keeps weights of the kept checkpoints."""

    progress = None

    def __init__(self):
        self.saved, self.kept, self.shown = None, {}, []

    def show(self, metrics, *, now=False):
        self.shown = list(metrics)

    def load(self):
        return self.saved

    def due(self):
        return saving.SECONDS_BETWEEN_SAVES == 0

    def save(self, state, *, beside=False):
        buffer = io.BytesIO()
        torch.save(state, buffer)
        buffer.seek(0)
        self.saved = torch.load(buffer, weights_only=True)

    def keep(self, step, model, tokenizer):
        self.kept[step] = {name: weight.clone() for name, weight in model.state_dict().items()}
