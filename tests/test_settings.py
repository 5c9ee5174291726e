"""Settings on the command line: values are JSON, but for those that are text."""

import pytest

from scripts.common.settings import parse_settings

TEXTS = ("settings.encoder", "settings.revision")


@pytest.mark.parametrize("value", ["1.10", "12345e6789", "true", "null", "", 'a "b"', "é"])
def test_a_text_stays_as_it_was_typed(value):
    for arguments in (["--settings.revision", value], [f"--settings.revision={value}"]):
        given = parse_settings([*arguments, "--settings.max_steps", "5"], TEXTS)
        assert given == {"settings.revision": value, "settings.max_steps": 5}


def test_a_text_may_be_json():
    given = parse_settings(["--settings.revision", '"1.10"', "--settings.encoder", '""'], TEXTS)
    assert given == {"settings.revision": "1.10", "settings.encoder": ""}


def test_other_values_are_read():
    arguments = ["--settings.dropout", "0.5", "--nlp.lang", "fr", "--settings.flag"]
    wanted = {"settings.dropout": 0.5, "nlp.lang": "fr", "settings.flag": True}
    assert parse_settings(arguments, TEXTS) == wanted
