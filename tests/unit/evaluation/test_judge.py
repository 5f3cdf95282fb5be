"""The optional judge against a stub of an OpenAI-compatible server on loopback."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fabricated
import pandas as pd
import pytest
from pydantic import ValidationError

from echochamber.analysis.tables import judged, judged_pairs
from echochamber.errors import Interrupted, UserError
from echochamber.evaluation.judge import (
    CATEGORIES,
    UNPARSEABLE,
    judge_all,
    messages,
    pair_messages,
    parse,
    parse_several,
)
from echochamber.grid.expansion import Grid
from echochamber.settings import GridFile, Judge

KEY = "sk-not-to-be-seen"


class Stub(ThreadingHTTPServer):
    """Answers with the next of `replies`, the last one for ever: (status, body), or seconds to be silent for."""

    daemon_threads = True

    def __init__(self, *replies) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies, self.seen = list(replies), []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        stub: Stub = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stub.seen.append((self.path, self.headers["Authorization"], body))
        reply = stub.replies.pop(0) if len(stub.replies) > 1 else stub.replies[0]
        if isinstance(reply, int | float):
            self.send_response(200)
            self.end_headers()
            end = time.monotonic() + reply
            while time.monotonic() < end:  # a trickle: each read of the socket is in time, the whole is not
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return
                time.sleep(0.02)
            return
        status, text = reply
        self.send_response(status)
        if status == 302:
            self.send_header("Location", stub.url + "/elsewhere")
        self.end_headers()
        self.wfile.write(text.encode() if isinstance(text, str) else text)

    def log_message(self, *_: object) -> None:
        pass


def says(content: object) -> tuple[int, str]:
    return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]})


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setenv("ECHO_JUDGE_API_KEY", KEY)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    started = []

    def start(*replies) -> Stub:
        started.append(Stub(*replies))
        return started[-1]

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def run(server: Stub, tmp_path, count: int = 1, stop=lambda: False, **more) -> list[str]:
    settings = Judge(base_url=server.url, model="m", **{"retries": 2, "timeout": 0.3} | more)
    asked = [messages(f"How many are {i} and 1?", str(i + 1), f"It is {i}.") for i in range(count)]
    return judge_all(settings, asked, tmp_path / "answers.jsonl", stop, pause=0.01)


GOOD = says('{"category": "arithmetic"}')


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"category": "arithmetic"}', "arithmetic"),
        ('```json\n{"category": "misreading"}\n```', "misreading"),
        (' {"category":"incomplete"}\n', "incomplete"),
        ("arithmetic", UNPARSEABLE),
        ('The answer: {"category": "arithmetic"}', UNPARSEABLE),
        ('{"category": "Arithmetic"}', UNPARSEABLE),
        ('{"category": "none"}', UNPARSEABLE),
        ('{"category": ["arithmetic"]}', UNPARSEABLE),
        ('{"category": "arithmetic", "sure": true}', UNPARSEABLE),
        ("[" * 100_000, UNPARSEABLE),
        ("", UNPARSEABLE),
    ],
)
def test_one_json_object_is_an_answer_and_nothing_else(answer, expected):
    assert parse(answer) == expected


def test_what_is_asked(stub, tmp_path):
    server = stub(GOOD)
    assert run(server, tmp_path) == ["arithmetic"]
    ((path, authorization, body),) = server.seen
    assert (path, authorization, body["model"], body["temperature"]) == (
        "/v1/chat/completions",
        f"Bearer {KEY}",
        "m",
        0,
    )
    system, user = (message["content"] for message in body["messages"])
    assert all(name in system for name in CATEGORIES)
    assert json.loads(user) == {"question": "How many are 0 and 1?", "right_answer": "1", "solution": "It is 0."}


def test_without_a_key_none_is_sent(stub, tmp_path, monkeypatch):
    monkeypatch.delenv("ECHO_JUDGE_API_KEY")
    server = stub(GOOD)
    run(server, tmp_path)
    assert server.seen[0][1] is None


@pytest.mark.parametrize(
    "trouble", [(500, "x"), (429, "x"), (200, "<html>"), (200, "{}"), says(None), (200, b"\xff"), 5]
)
def test_a_passing_trouble_is_tried_again(stub, tmp_path, trouble):
    server = stub(trouble, GOOD)
    assert run(server, tmp_path) == ["arithmetic"]
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("trouble", "found"), [((503, KEY), "HTTP status 503"), (5, "no answer in time"), ((200, "x"), "a response")]
)
def test_a_lasting_trouble_is_one_line_and_keeps_what_was_answered(stub, tmp_path, trouble, found):
    server = stub(GOOD, trouble)
    with pytest.raises(UserError, match=f"judge.base_url: http://127.*: found {found}.* in 3 attempts") as error:
        run(server, tmp_path, count=2)
    assert "\n" not in str(error.value)
    assert KEY not in str(error.value)
    server.replies[:] = [GOOD]
    before = len(server.seen)
    assert run(server, tmp_path, count=2) == ["arithmetic", "arithmetic"]
    assert len(server.seen) == before + 1


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_a_refusal_and_a_redirect_are_not_tried_again(stub, tmp_path, status, caplog):
    server = stub((status, f"Incorrect API key provided: {KEY}"))
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(UserError, match=f"found HTTP status {status}, allowed: 200") as error,
    ):
        run(server, tmp_path)
    assert len(server.seen) == 1
    assert KEY not in str(error.value) + caplog.text


def test_nobody_listens(stub, tmp_path):
    server = stub(GOOD)
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match="in 3 attempts"):
        run(server, tmp_path)


def test_an_answer_is_asked_for_once_whatever_happened(stub, tmp_path):
    server = stub(GOOD, says("garbage"), says('{"category": "formula"}'))
    stops = iter([False, False, True])
    with pytest.raises(Interrupted, match="2 of 3"):
        run(server, tmp_path, count=3, stop=lambda: next(stops))
    kept = tmp_path / "answers.jsonl"
    kept.write_text(kept.read_text() + '{"key": "torn')
    assert run(server, tmp_path, count=3) == ["arithmetic", UNPARSEABLE, "formula"]
    assert run(server, tmp_path, count=3) == ["arithmetic", UNPARSEABLE, "formula"]
    assert len(server.seen) == 3
    assert KEY not in kept.read_text()
    assert run(server, tmp_path, count=1, api_key_variable="OTHER") == ["arithmetic"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"categories": ["formula", "arithmetic"]}', ("arithmetic", "formula")),
        ('{"categories": ["notation", "notation"]}', ("notation",)),
        ('{"categories": []}', (UNPARSEABLE,)),
        ('{"categories": ["notation", "luck"]}', (UNPARSEABLE,)),
        ('{"categories": "notation"}', (UNPARSEABLE,)),
        ('{"category": "notation"}', (UNPARSEABLE,)),
    ],
)
def test_an_answer_about_a_pair_names_every_kind(answer, expected):
    assert parse_several(answer) == expected


def test_pairs_are_what_became_right_and_each_counts_in_every_kind(tmp_path):
    """By hand: of the questions that a run's greedy answer got right and its base model's did not, all are asked."""
    study = {"mixtures": ["tg"], "algorithms": ["grpo"], "prompts": ["synth-gsm"], "model_seeds": [0, 1, 2]}
    grid = fabricated.grid(tmp_path, one=study)
    fabricated.fabricate(grid, questions=12, steps=(1, 2))
    raw = grid.file.model_dump() | {
        "judge": {"base_url": "http://localhost:1/v1", "model": "m", "pairs": True, "completions": 10}
    }
    grid = Grid(GridFile.model_validate(raw), grid.paths.root.parent)
    wanted = {}
    for run in grid.runs.values():
        files = grid.paths.samples(run.model.id, "synth-gsm"), grid.paths.samples(run.id, "synth-gsm")
        base, after = (pd.read_parquet(file).query("mode == 'greedy'") for file in files)
        right = [
            table[table["step"] == table["step"].max()].set_index("question_id")["correct_executed"]
            for table in (base, after)
        ]
        wanted[run.id] = int((~right[0] & right[1]).sum())
    assert sum(wanted.values()) > 0
    seen = []

    def judge(asked):
        seen.extend(asked)
        return [("arithmetic", "formula") if i % 2 else ("formula",) for i in range(len(asked))]

    table = judged_pairs.table(grid, judge)
    assert len(seen) == sum(wanted.values())
    assert set(json.loads(seen[0][1]["content"])) == {"question", "right_answer", "wrong_solution", "right_solution"}
    for id, rows in table[table["id"].notna()].groupby("id"):
        share = rows.set_index("category")["estimate"]
        assert rows["n_questions"].unique().tolist() == [wanted[id]]
        assert share["formula"] == 1
        assert share["notation"] == share[UNPARSEABLE] == 0


def test_pairs_are_kept_and_asked_for_once(stub, tmp_path):
    server = stub(says('{"categories": ["formula", "notation"]}'), says("no"))
    settings = Judge(base_url=server.url, model="m", retries=0)
    asked = [pair_messages("How many?", str(i), "It is 9.", f"It is {i}.") for i in range(2)]
    for _ in range(2):
        said = judge_all(settings, asked, tmp_path / "a.jsonl", lambda: False, read=parse_several)
        assert said == [("formula", "notation"), (UNPARSEABLE,)]
    assert len(server.seen) == 2


def test_a_key_that_cannot_be_one_is_not_repeated(stub, tmp_path, monkeypatch):
    monkeypatch.setenv("ECHO_JUDGE_API_KEY", "sk-\x01secret")
    with pytest.raises(UserError, match="ECHO_JUDGE_API_KEY: found a character") as error:
        run(stub(GOOD), tmp_path)
    assert "secret" not in str(error.value)


DISGUISES = {
    "as it is": lambda key: f"Your key is {key}",
    "as the header": lambda key: json.dumps({"category": "arithmetic", "authorization": f"Bearer {key}"}),
    "in base 64": lambda key: base64.b64encode(key.encode()).decode(),
    "backwards": lambda key: key[::-1],
    "in a category": lambda key: json.dumps({"category": key}),
    "beside a right answer": lambda key: f'```json\n{{"category":\n"arithmetic"}}\n``` {key}',
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_an_echoed_key_reaches_no_file(stub, tmp_path, disguise, caplog):
    echo = DISGUISES[disguise](KEY)
    assert run(stub(says(echo)), tmp_path, count=1) == [UNPARSEABLE]
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file()) + caplog.text
    for text in (KEY, echo, DISGUISES["in base 64"](KEY), DISGUISES["backwards"](KEY)):
        assert text not in written
    assert UNPARSEABLE in written


def test_a_deeply_nested_response_is_no_answer(stub, tmp_path):
    with pytest.raises(UserError, match=r"a response without choices"):
        run(stub((200, "[" * 100_000)), tmp_path, count=1, retries=0)


@pytest.mark.parametrize("url", ["ftp://x/v1", "http://me:secret@x/v1", "x/v1", "https://x/v1?key=secret"])
def test_an_address_with_a_secret_or_none_is_refused(url):
    with pytest.raises(ValidationError, match="allowed: http"):
        Judge(base_url=url, model="m")


def test_the_table_of_a_grid(tmp_path):
    """The judge here says `arithmetic` of short texts, and something else that is no answer of the others."""
    study = {"mixtures": ["tg+omi1+omi2"], "algorithms": ["grpo"], "prompts": ["synth-gsm"]}
    file = fabricated.grid_file(one=study) | {
        "judge": {"base_url": "http://127.0.0.1:1/v1", "model": "m", "completions": 30}
    }
    grid = Grid(GridFile.model_validate(file), tmp_path)
    fabricated.fabricate(grid, questions=20, steps=(1, 8))
    asked = []

    def judge(every: list) -> list[str]:
        asked.extend(every)
        return ["arithmetic" if len(each[1]["content"]) < 200 else UNPARSEABLE for each in every]

    table = judged.table(grid, judge)
    assert list(table.columns) == list(judged.JUDGED)
    assert set(table["step"]) == {0, 8}
    assert table.groupby("step")["estimate"].sum().to_numpy() == pytest.approx(1)
    assert (table["n_samples"] == 30).all()
    run = "tg+omi1+omi2/nano/seed0/grpo/synth-gsm/seed0"
    samples = pd.read_parquet(grid.paths.samples(run, "synth-gsm"))
    texts = samples[(samples["step"] == 8) & (samples["mode"] == "sample") & ~samples["correct_executed"]]["completion"]
    last = [json.loads(each[1]["content"])["solution"] for each in asked[30:]]
    assert set(last) <= set(texts)
    share = table[(table["step"] == 8) & (table["category"] == "arithmetic")]["estimate"].item()
    assert share == pytest.approx(sum(len(each[1]["content"]) < 200 for each in asked[30:]) / 30)


def test_no_judge_unless_it_is_set():
    assert GridFile.model_validate(fabricated.grid_file(one={"mixtures": ["tg"]})).judge is None
