"""What an upload refuses, with a hub that is made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from echochamber.errors import UserError
from echochamber.report import publishing


class Hub:
    """A repository that is there; what is done to it is kept."""

    def __init__(self, private: bool, done: list[str]) -> None:
        self.private, self.done = private, done

    def create_repo(self, repository: str, **_: object) -> None:
        self.done.append("create")

    def repo_info(self, repository: str, **_: object) -> SimpleNamespace:
        return SimpleNamespace(private=self.private)

    def upload_folder(self, **_: object) -> SimpleNamespace:
        self.done.append("upload")
        return SimpleNamespace(commit_url="url")


@pytest.mark.parametrize(("private", "public"), [(True, False), (False, True), (True, True)])
def test_an_upload_to_what_may_be_seen(tmp_path, monkeypatch, private, public):
    done: list[str] = []
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: Hub(private, done))
    assert publishing._upload(tmp_path, "me/mine", "model", public) == "uploaded model me/mine: url"
    assert done == ["create", "upload"]


def test_nothing_is_uploaded_to_a_public_repository_unless_it_was_asked_for(tmp_path, monkeypatch):
    done: list[str] = []
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: Hub(False, done))
    with pytest.raises(UserError) as raised:
        publishing._upload(tmp_path, "me/mine", "model", False)
    assert str(raised.value) == "to: me/mine is there and public, allowed: a private one, or public=true"
    assert "upload" not in done


def test_a_link_never_writes_into_what_is_there(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    publishing._link(tmp_path / "one", tmp_path / "published")
    with pytest.raises(FileExistsError):
        publishing._link(tmp_path / "two", tmp_path / "published")
    assert (tmp_path / "one").read_text() == "one"


def test_samples_of_the_base_model_have_a_name_of_their_own():
    assert publishing._name_of_base("sums", {"sums"}) == "sums-base"
    assert publishing._name_of_base("sums", {"sums", "sums-base"}) == "sums-base-base"
