"""Settings of models and of their pretraining."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from echochamber.schema import GpuShare, Name, Precision, RandomNumbers, Settings, Share


class Scale(Settings):
    """The size of an OLMo model."""

    width: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    intermediate: PositiveInt
    """Width of the SwiGLU layer."""
    tied: bool = False
    """Whether input and output embeddings are one matrix."""
    gpus: PositiveInt = 1
    """GPUs, of all its nodes, of a pretraining job that runs on GPUs at all: one process each. No part of its spec: the
    result is the same, and a run may go on with another number."""
    nodes: PositiveInt = 1
    """Machines of a Slurm cluster that those GPUs lie in, as many in each. No part of the spec either."""
    gpu_share: GpuShare = 1.0
    """Of one GPU, and of its memory: what each job with a model of this size takes of it (pretraining, RL where the
    algorithm does not say, evaluation). No part of the spec either."""
    micro_batch_rows: PositiveInt | None = None
    """Rows of one forward and backward pass of a process; their gradients add up to those of the whole batch. None: on
    a CPU as many as make 16,384 tokens, at least one; on a GPU the largest power of two that fits its free memory, up
    to 65,536 tokens."""
    sharding: Literal["none", "fsdp2"] = "none"
    """`none`: each process holds the whole model (DDP). `fsdp2`: a part of the weights, gradients and optimiser."""
    compile: bool | Literal["auto"] = "auto"
    """`torch.compile` of the layers and of the loss; `auto`: on CUDA, where a run is long enough to gain by it."""

    @model_validator(mode="after")
    def _divisors(self) -> Scale:
        if self.width % self.heads:
            raise ValueError(f"heads: found {self.heads}, allowed: a divisor of the width {self.width}")
        if (self.width // self.heads) % 2:
            raise ValueError(f"heads: found {self.heads}, allowed: width / heads even (rotary embeddings turn pairs)")
        if self.gpus % self.nodes:
            raise ValueError(f"nodes: found {self.nodes}, allowed: a divisor of gpus, {self.gpus}")
        if self.gpus > 1 and self.gpu_share < 1:
            raise ValueError(f"gpu_share: found {self.gpu_share:g} with gpus {self.gpus}, allowed: 1")
        return self


class Pretraining(Settings):
    """Next-token training from scratch: one pass over the mixture."""

    sequence_length: PositiveInt = 2048
    batch_rows: PositiveInt = 512
    packing: Literal["concatenate", "document"] = "concatenate"
    """`concatenate`: one stream cut into rows (the paper's). `document`: whole documents, best fit, none cut."""
    document_mask: bool = False
    """With `concatenate`: attend within a document only (the paper does not). `document` always does."""
    learning_rate: PositiveFloat = 1e-3
    warmup_steps: Annotated[int, Field(ge=0)] = 5000
    final_learning_rate: Share = 0.1
    """Where the cosine ends, as a fraction of the peak."""
    betas: tuple[Share, Share] = (0.9, 0.95)
    epsilon: PositiveFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.1
    """On all parameters."""
    gradient_clip: PositiveFloat = 1.0
    precision: Precision = "bf16"
    random_numbers: RandomNumbers = "independent"
    """`common`: models with equal seeds share initial weights (of equal scales) and the numbers behind the order of
    documents, whatever their mixtures: for paired comparisons. As it is, every mixture, scale and seed has its own."""
    checkpoints: tuple[PositiveInt, ...] = ()
    """Steps to keep besides the last one: an RL run may start from them."""
    log_every: PositiveInt = 10
    """Steps between rows of metrics.csv."""
    held_out_documents: PositiveInt = 256
    """Documents of each source that are never trained on and give `loss_SOURCE`."""
    held_out_every: PositiveInt = 1000
    """Steps between evaluations of the held-out loss."""


class ImportedModel(Settings):
    """A causal language model that the grid did not train, of any architecture, with its own tokenizer."""

    path: str = Field(alias="import")
    """A Hugging Face folder, or a repository of the hub."""
    revision: str = "main"
    """Of the repository: a branch, tag or commit."""
    mixture: Name | None = None
    """What it was pretrained on, by its name under `mixtures`: figures and claims about mixtures then count it. None of
    it is read here."""
    scale: Name | None = None
    """Its size, by its name under `scales`: figures and claims about scales then count it."""
