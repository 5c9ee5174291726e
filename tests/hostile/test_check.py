"""What is no converted corpus, given to `check`."""

import pytest
from spacy.tokens import DocBin

from scripts import check

BROKEN = {
    "no train.spacy, dev.spacy or test.spacy": None, "train.spacy: damaged": b"no DocBin",
    "train.spacy holds no examples": DocBin().to_bytes(),
}  # fmt: skip


@pytest.mark.parametrize("said, content", BROKEN.items())
def test_bad_input_is_refused_in_one_line(command, tmp_path, said, content):
    if content is not None:
        (tmp_path / "train.spacy").write_bytes(content)
    result = command(check, tmp_path, "--json", tmp_path / "check.json")
    assert result.code == 1 and said in result.line
    assert not (tmp_path / "check.json").exists()
