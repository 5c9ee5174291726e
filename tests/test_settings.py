"""Settings: those on the command line are JSON, except text settings; those of a GPU."""

import pytest

from scripts.common.devices import device_settings
from scripts.common.settings import parse_settings

TEXTS = ("settings.encoder", "settings.revision")


@pytest.mark.parametrize("value", ["1.10", "12345e6789", "true", "null", "", 'a "b"', "é"])
def test_a_text_setting_is_kept_as_typed(value):
    for arguments in (["--settings.revision", value], [f"--settings.revision={value}"]):
        given = parse_settings([*arguments, "--settings.max_steps", "5"], TEXTS)
        assert given == {"settings.revision": value, "settings.max_steps": 5}


def test_a_text_setting_may_be_a_json_string():
    given = parse_settings(["--settings.revision", '"1.10"', "--settings.encoder", '""'], TEXTS)
    assert given == {"settings.revision": "1.10", "settings.encoder": ""}


def test_values_of_other_settings_are_parsed_as_json():
    arguments = ["--settings.dropout", "0.5", "--nlp.lang", "fr", "--settings.flag"]
    wanted = {"settings.dropout": 0.5, "nlp.lang": "fr", "settings.flag": True}
    assert parse_settings(arguments, TEXTS) == wanted


def test_gpu_settings():
    assert device_settings(-1) == {}
    settings = device_settings(0)
    assert settings["system.gpu_allocator"] == "pytorch"
    assert settings["components.transformer.model.mixed_precision"] is True
    assert settings["components.transformer.max_batch_items"] > 1024
