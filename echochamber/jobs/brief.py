"""What Snakemake says of a failed job, without the job's spec: twice the command line, of 15 kB in a large grid.

The job itself has said in one line what was wrong; its log and its provenance have the spec.
"""

from __future__ import annotations

import logging
import re

_SPEC = re.compile(r"(--spec) .*?(?= --out | 2> |$)", re.DOTALL)


class Brief(logging.Filter):
    """Shortens the commands in log records.

    Args:
        prefix: what the shell runs before every command.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str) and "--spec" in record.msg:
            record.msg = self.shortened(record.msg)
        command = getattr(record, "shellcmd", None)
        if isinstance(command, str):
            record.shellcmd = self.shortened(command)
        return True

    def shortened(self, text: str) -> str:
        return _SPEC.sub(r"\1 ...", text.replace(self.prefix, ""))
