"""The precision and the threads that an encoder runs with: measured, forced, reported."""

import time

import pytest
import torch

from scripts.common import precision
from scripts.common.errors import UserError
from scripts.common.precision import (
    check_precision,
    choose_precision,
    choose_threads,
    runs_in_bfloat16,
    speed_of_bfloat16,
)

from .families import SHAPES, new_encoder


def slow_in(encoder, seconds: dict[str, float]):
    """Let an encoder's forward pass take longer in a precision."""
    forward = encoder.forward

    def slower(*arguments, **settings):
        time.sleep(seconds["bfloat16" if torch.is_autocast_enabled("cpu") else "float32"])
        return forward(*arguments, **settings)

    encoder.forward = slower
    return encoder


@pytest.mark.parametrize(
    "seconds, chosen", [((0.03, 0.0), "bfloat16"), ((0.0, 0.03), "float32"), ((0.03, 0.03), "float32")]
)  # fmt: skip
def test_auto_chooses_what_is_faster_here(seconds, chosen, capsys):
    encoder = slow_in(new_encoder("bert"), dict(zip(("float32", "bfloat16"), seconds)))
    encoder.train()
    before = encoder.forward
    assert choose_precision(encoder, "auto") == chosen
    assert (encoder.forward is before) == (chosen == "float32")
    said = " ".join(capsys.readouterr().out.split())
    assert f"{chosen}: here the encoder is " in said and "times as fast in bfloat16" in said
    assert encoder.training


@pytest.mark.parametrize("forced", ["float32", "bfloat16"])
def test_a_given_precision_is_not_measured(forced, capsys):
    encoder = new_encoder("bert")
    assert choose_precision(encoder, forced) == forced
    assert runs_in_bfloat16(encoder) == (forced == "bfloat16")
    assert not capsys.readouterr().out
    output = encoder(input_ids=torch.arange(8)[None]).last_hidden_state
    assert output.dtype == torch.float32


@pytest.mark.parametrize("kind", sorted(set(SHAPES) - {"deberta"}))
def test_encoders_of_any_family_are_measured(kind):
    assert 0 < speed_of_bfloat16(new_encoder(kind)) < 100


def test_an_encoder_that_cannot_run_in_bfloat16():
    encoder = new_encoder("deberta")
    assert choose_precision(encoder, "auto") == "float32" and not runs_in_bfloat16(encoder)
    with pytest.raises(UserError, match="DebertaModel cannot run in it; choose float32"):
        choose_precision(encoder, "bfloat16")


def test_an_encoder_with_few_positions_is_measured():
    assert speed_of_bfloat16(new_encoder("roberta", max_position_embeddings=20)) > 0


def test_emulated_bfloat16_is_measured_on_a_short_text_alone():
    encoder = slow_in(new_encoder("bert"), {"float32": 0.0, "bfloat16": 0.3})
    start = time.perf_counter()
    assert choose_precision(encoder, "auto") == "float32"
    assert time.perf_counter() - start < 0.3 * 2 * (precision.PAIRS + 1)


def test_an_unknown_precision_is_refused():
    with pytest.raises(UserError, match="--precision 'int8': expected one of auto, float32, bf"):
        check_precision("--precision", "int8")


@pytest.fixture
def four_threads(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def with_threads(encoder, seconds: dict[int, float]):
    """Let an encoder take a time that depends on the number of threads."""
    encoder.forward = lambda **inputs: time.sleep(seconds[torch.get_num_threads()])
    return encoder


@pytest.mark.parametrize(
    "seconds, best",
    [
        ({4: 0.04, 2: 0.02, 1: 0.03}, 2),
        ({4: 0.01, 2: 0.02, 1: 0.04}, 4),
        # Hardly faster: later the machine may be less busy.
        ({4: 0.044, 2: 0.04, 1: 0.08}, 4),
    ],
)  # fmt: skip
def test_fewer_threads_are_used_where_they_are_faster(four_threads, capsys, seconds, best):
    choose_threads(with_threads(new_encoder("bert"), seconds))
    assert torch.get_num_threads() == best
    assert ("times as fast as with 4" in " ".join(capsys.readouterr().out.split())) == (best != 4)


def test_the_users_number_of_threads_is_kept(four_threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    choose_threads(with_threads(new_encoder("bert"), {4: 0.04, 2: 0.0, 1: 0.0}))
    assert torch.get_num_threads() == 4
