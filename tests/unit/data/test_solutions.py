"""Which tokens give a loss where solutions alone do, worked out by hand."""

import numpy as np
import pytest

from echochamber.data.mixture import IGNORED, Batch
from echochamber.data.solutions import SolutionsOnly
from echochamber.data.tokenizer import train_bpe

X = IGNORED


class Letters:
    """0 a, 1 b, 2 end, 3 one line break, 4 two, 5 a break before a letter."""

    texts = ("a", "b", "</s>", "\n", "\n\n", "\nb")

    def __len__(self):
        return len(self.texts)

    def decode(self, tokens, **_):
        return self.texts[tokens[0]]


def labels(ids, positions):
    ids, positions = np.array(ids), np.array(positions)
    return SolutionsOnly(Letters())(Batch(ids, np.where(positions == 0, IGNORED, ids), positions)).labels.tolist()


@pytest.mark.parametrize(
    ("ids", "positions", "kept"),
    [
        ([0, 4, 1, 0, 2], [0, 1, 2, 3, 4], [X, X, 1, 0, 2]),
        ([0, 3, 3, 1, 2], [0, 1, 2, 3, 4], [X, X, X, 1, 2]),  # two tokens, the second is the question's
        ([0, 3, 5, 1, 2], [0, 1, 2, 3, 4], [X, X, X, 1, 2]),
        ([0, 3, 1, 3, 2], [0, 1, 2, 3, 4], [X, X, X, X, X]),  # no empty line
        ([0, 4, 1, 4, 1], [0, 1, 2, 3, 4], [X, X, 1, 4, 1]),  # another one within the solution
        ([4, 1, 0, 3, 1], [0, 1, 0, 1, 2], [X, 1, X, X, X]),  # the next document begins anew
        ([1, 3, 3, 1, 0], [0, 1, 0, 1, 2], [X, X, X, X, X]),  # half of it in each of two documents
    ],
)
def test_by_hand(ids, positions, kept):
    assert labels([ids], [positions]) == [kept]


def test_rows_do_not_touch():
    assert labels([[0, 4, 1], [0, 1, 2]], [[0, 1, 2], [0, 1, 2]]) == [[X, X, 1], [X, X, X]]


def test_with_a_real_tokenizer_what_is_left_is_the_solution():
    text = "What is 2 + 3?\n\n2 + 3 = 5\n\nThe answer is: 5"
    tokenizer = train_bpe([text] * 3, 300)
    ids = np.array([[*tokenizer(text)["input_ids"], tokenizer.eos_token_id]])
    kept = SolutionsOnly(tokenizer)(Batch(ids, ids, np.arange(ids.shape[1])[None])).labels[0]
    assert tokenizer.decode(kept[kept != IGNORED]) == "2 + 3 = 5\n\nThe answer is: 5</s>"


def test_without_positions_it_cannot_be_known():
    with pytest.raises(ValueError, match="positions: found none"):
        SolutionsOnly(Letters())(Batch(np.zeros((1, 2), int), np.zeros((1, 2), int), None))
