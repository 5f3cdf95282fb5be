"""`python -m echochamber.verify FILE.jsonl`: verdicts as JSON lines, and a summary on stderr.

Each line of FILE has `completion` and `gold`, and optionally `finished`. `-` reads from stdin.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, get_args

from echochamber.formats import DEFAULT_RULE, FORMATS, RULES, Truncated
from echochamber.verify import Verdict, close, verify_batch, walls
from echochamber.verify.answers import parse_gold

BATCH = 1000


class Refused(Exception):
    """A line of the input that is no question for the verifier."""


def rows(lines: TextIO, name: str) -> Iterator[tuple[str, str | int, bool]]:
    """Completion, gold and `finished` of each line. Raises Refused: one line with file, line number, found, allowed."""
    for line_number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise Refused(f"{name}:{line_number}: found no JSON ({error}), allowed: one JSON object a line") from None
        if not isinstance(row, dict) or not isinstance(row.get("completion"), str):
            raise Refused(f"{name}:{line_number}: completion: found none, allowed: a string")
        gold = row.get("gold")
        if not isinstance(gold, str | int) or isinstance(gold, bool):
            raise Refused(f"{name}:{line_number}: gold: found {gold!r}, allowed: a string or an integer")
        try:
            parse_gold(gold)
        except ValueError as error:
            raise Refused(f"{name}:{line_number}: {error}") from None
        yield row["completion"], gold, row.get("finished", True) is not False


def as_json(verdict: Verdict) -> str:
    return json.dumps({**dataclasses.asdict(verdict), "flags": sorted(verdict.flags)})


def summary(verdicts: list[Verdict]) -> str:
    """A few lines for a person: how many, how many right by format, statuses, flags, and the walls that stood."""
    total = max(len(verdicts), 1)
    written, right = Counter(v.format for v in verdicts), Counter(v.format for v in verdicts if v.correct)
    lines = [f"{len(verdicts)} completions, {sum(right.values()) / total:.1%} correct"]
    for name in FORMATS:
        if written[name]:
            accuracy = right[name] / written[name]
            lines.append(f"  {name:<8} share {written[name] / total:6.1%}   correct within it {accuracy:6.1%}")
    for title, counts in (
        ("status", Counter(v.status for v in verdicts)),
        ("flags", Counter(flag for v in verdicts for flag in v.flags)),
    ):
        lines.append(f"{title}: " + (", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"))
    lines.append("walls: " + ", ".join(f"{wall} {state}" for wall, state in walls().items()))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m echochamber.verify", description=__doc__.partition("\n")[0])
    parser.add_argument("file", metavar="FILE.jsonl", help="lines with the fields completion and gold; - is stdin")
    parser.add_argument("--scorer", choices=RULES, default=DEFAULT_RULE, help="the rule (default: %(default)s)")
    parser.add_argument(
        "--truncated",
        choices=get_args(Truncated),
        default="wrong",
        help="completions with finished false, by executed and written (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="where the verdicts go (default: stdout)")
    options = parser.parse_args(arguments)
    warnings.simplefilter("default", RuntimeWarning)
    try:
        with open(options.file, encoding="utf-8") if options.file != "-" else sys.stdin as source:
            asked = list(rows(source, options.file))
    except (UnicodeDecodeError, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{options.file}: {error.strerror}", file=sys.stderr)
        return 1
    verdicts: list[Verdict] = []
    for start in range(0, len(asked), BATCH):
        completions, golds, finished = zip(*asked[start : start + BATCH], strict=True)
        verdicts += verify_batch(
            completions, golds, scorer=options.scorer, finished=finished, truncated=options.truncated
        )
    text = "".join(as_json(verdict) + "\n" for verdict in verdicts)
    if options.out:
        aside = options.out.with_name(options.out.name + ".part")
        aside.write_text(text, encoding="utf-8")
        aside.replace(options.out)
    else:
        sys.stdout.write(text)
    print(summary(verdicts), file=sys.stderr)
    close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
