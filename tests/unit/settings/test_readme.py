"""README's pieces of a grid file, put into the demo's, are a grid."""

import re
from pathlib import Path

import yaml

from echochamber.grid import parsing

ROOT = Path(__file__).parents[3]


def test_what_the_readme_adds_to_the_demo_is_a_grid():
    config = parsing.read(ROOT / "config/demo.yaml")
    pieces = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(pieces) == 5
    anchors = yaml.safe_dump({"anchor": config["algorithms"]["grpo"]}).replace("anchor:", "anchor: &rl")
    for piece in pieces:
        for key, added in yaml.safe_load(anchors + piece).items():
            if key != "anchor":
                config[key] = config.get(key, {}) | added
    before, after = parsing.load(ROOT / "config/demo.yaml"), parsing.parse(config, "README.md")
    assert sorted(set(after.runs) - set(before.runs)) == [
        f"{mixture}/micro/seed{seed}/rloo-kl.3/asked/seed0"
        for mixture in ("tgw+8xomi2", "tgw+omi2.2")
        for seed in (0, 1, 2)
    ]
