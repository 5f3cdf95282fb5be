"""What algorithms make of a small batch in float64, for comparison with their formulas."""

import torch

from echochamber.algorithms import losses

SCORES = torch.tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
LENGTHS = torch.tensor([5, 1, 3, 4, 2, 5, 1, 3, 4, 4, 2, 1])
MASK = torch.arange(5) < LENGTHS[:, None]


def logprobs(spread: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """(now, when sampled), (completions, tokens), some `spread` apart, with rubbish in the padding."""
    generator = torch.Generator().manual_seed(seed)
    old = -3 * torch.rand(MASK.shape, generator=generator, dtype=torch.float64)
    moved = spread * torch.randn(MASK.shape, generator=generator, dtype=torch.float64)
    return (old + moved).masked_fill(~MASK, 7.0), old.masked_fill(~MASK, -9.0)


def advantages(settings, scores=SCORES):
    """Without a KL, (completions, tokens)."""
    return settings.advantages(scores, torch.zeros(MASK.shape, dtype=torch.float64), MASK)


def loss_and_gradient(settings, new, old):
    """Of the update batch, by the trainer's own steps."""
    new = new.clone().requires_grad_()
    log_ratio = torch.where(MASK, new - old, 0.0)
    per_token = settings.policy_loss(new, log_ratio, advantages(settings), MASK)
    weights = losses.sequence_weights(LENGTHS, settings.reduction, max_tokens=1).double()
    loss = losses.weighted_sum(per_token, MASK, weights)
    loss.backward()
    return loss.item(), new.grad


def differences(loss, new, step=1e-6):
    """The gradient of a function of an array by central differences."""
    gradient = torch.zeros_like(new)
    for place in torch.cartesian_prod(*map(torch.arange, new.shape)):
        at = tuple(place.tolist())
        up, down = new.clone(), new.clone()
        up[at], down[at] = new[at] + step, new[at] - step
        gradient[at] = (loss(up) - loss(down)) / (2 * step)
    return gradient
