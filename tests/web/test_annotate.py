"""The JSON API: what it answers, one by one and all at once."""

import asyncio

import httpx
import pytest

from scripts.serving.gold import best_label
from scripts.serving.predictions import entities
from scripts.web.annotator import BATCH_TEXTS

from .conftest import Held, waiting_for

TEXTS = [
    "Marie Curie habite à Paris.", "Un film nul, à éviter.", "😀 Jean Valjean 😀 quitte Toulon 👨‍👩‍👧 hier.",
    "", "   \n ", "x" * 5000, "السلام عليكم يا باريس", "<script>alert(1)</script> à Lyon", "\x00 Marie \x07",
]  # fmt: skip


def test_entities_and_classes_are_those_of_the_pipeline(served, pipelines):
    found = served.annotate(TEXTS, "both").raise_for_status().json()["annotations"]
    assert len(found) == len(TEXTS)
    for text, answer in zip(TEXTS, found):
        doc = pipelines["both"](text)
        assert [(e["start"], e["end"], e["label"]) for e in answer["entities"]] == entities(doc)
        assert answer["cats"] == pytest.approx(doc.cats, abs=1e-6)
        assert answer["label"] == (best_label(doc) if text else None)
        assert answer["score"] == (pytest.approx(doc.cats[best_label(doc)]) if text else None)


def test_offsets_count_characters_and_utf16_units(served):
    text = TEXTS[2]
    (answer,) = served.annotate(text, "both").json()["annotations"]
    assert answer["entities"]
    units = text.encode("utf-16-le")
    for entity in answer["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["text"]
        selected = units[2 * entity["start_utf16"] : 2 * entity["end_utf16"]]
        assert selected.decode("utf-16-le") == entity["text"]
    assert any(entity["start"] != entity["start_utf16"] for entity in answer["entities"])


def test_labels_are_assigned_from_the_threshold_of_the_pipeline(served, pipelines):
    (answer,) = served.annotate(TEXTS[1], "several").json()["annotations"]
    assert "entities" not in answer
    assert set(answer["labels"]) == {k for k, v in answer["cats"].items() if v >= 0.25}
    assert answer["labels"] and min(answer["cats"][label] for label in answer["labels"]) < 0.5


def test_pipelines_and_health(served):
    both, several = served.client.get("/pipelines").json()
    assert both["name"] == "both" and both["lang"] == "fr" and both["encoder"] is None
    assert both["tasks"]["ner"]["labels"] == ["LOC", "MISC", "ORG", "PER"]
    assert several["tasks"]["textcat_multilabel"]["threshold"] == 0.25
    health = served.client.get("/health").json()
    assert health == {"status": "ok", "pipelines": 2, "waiting_chars": 0}


def test_the_only_pipeline_needs_no_name(serve_with, pipelines):
    one = serve_with({"several": pipelines["several"]})
    assert one.annotate("Un film.").json()["pipeline"] == "several"


def test_openapi_describes_it(served):
    described = served.client.get("/openapi.json").json()
    assert {"/annotate", "/pipelines", "/health"} <= set(described["paths"])
    assert "start_utf16" in described["components"]["schemas"]["Entity"]["properties"]


def test_two_hundred_clients_at_once_get_what_they_would_get_alone(served, pipelines):
    nlp = pipelines["both"]
    texts = [
        f"Numéro {n} : Marie Curie {'va à Paris ' * (n % 7)}en {1800 + n}." for n in range(200)
    ]
    limits = httpx.Limits(max_connections=200)

    async def ask_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=served.url, limits=limits, timeout=60) as client:
            return await asyncio.gather(
                *(client.post("/annotate", json={"text": t, "pipeline": "both"}) for t in texts)
            )

    for text, response in zip(texts, asyncio.run(ask_all())):
        (answer,) = response.raise_for_status().json()["annotations"]
        doc = nlp(text)
        assert [(e["start"], e["end"], e["label"]) for e in answer["entities"]] == entities(doc)
        assert answer["cats"] == pytest.approx(doc.cats, abs=1e-6)


def test_texts_that_wait_together_share_a_batch_and_take_turns(held):
    served, annotator = held
    many = [f"Long {n}" for n in range(BATCH_TEXTS + 30)]

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
            first = asyncio.create_task(client.post("/annotate", json={"text": "premier"}))
            await asyncio.to_thread(annotator.begun.wait, 60)
            others = [asyncio.create_task(client.post("/annotate", json={"text": many}))]
            await waiting_for(annotator, len("premier") + sum(map(len, many)))
            others += [asyncio.create_task(client.post("/annotate", json={"text": "bref"}))]
            await waiting_for(annotator, len("premierbref") + sum(map(len, many)))
            annotator.go.set()
            return await asyncio.gather(first, *others)

    found = asyncio.run(ask())
    assert [len(r.raise_for_status().json()["annotations"]) for r in found] == [1, len(many), 1]
    assert annotator.batches[0] == ["premier"]
    # The short request does not wait for the long one.
    assert annotator.batches[1][:3] == ["Long 0", "bref", "Long 1"]
    assert len(annotator.batches[1]) == BATCH_TEXTS and len(annotator.batches) == 3


def test_the_texts_of_a_killed_connection_are_dropped(held):
    served, annotator = held

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
            first = asyncio.create_task(client.post("/annotate", json={"text": "premier"}))
            await asyncio.to_thread(annotator.begun.wait, 60)
            killed = asyncio.create_task(client.post("/annotate", json={"text": ["mort"] * 100}))
            await waiting_for(annotator, len("premier") + 400)
            killed.cancel()
            await waiting_for(annotator, len("premier"))
            annotator.go.set()
            await first
            return await client.post("/annotate", json={"text": "après"})

    asyncio.run(ask()).raise_for_status()
    assert annotator.batches == [["premier"], ["après"]]


def test_a_text_that_the_pipeline_fails_on_harms_no_other(serve_with, pipelines, monkeypatch):
    class Choosy(Held):
        def read(self, texts):
            found = super().read(texts)
            if "poison" in texts:
                raise ValueError("poison is a text")
            return found

    monkeypatch.setattr("tests.web.conftest.Annotator", Choosy)
    served = serve_with({"both": pipelines["both"]})
    annotator = served.annotators["both"]

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
            first = asyncio.create_task(client.post("/annotate", json={"text": "premier"}))
            await asyncio.to_thread(annotator.begun.wait, 60)
            others = [
                asyncio.create_task(client.post("/annotate", json={"text": text}))
                for text in ("un", "poison", "deux")
            ]
            await waiting_for(annotator, len("premierunpoisondeux"))
            annotator.go.set()
            return await asyncio.gather(first, *others)

    found = asyncio.run(ask())
    assert [response.status_code for response in found] == [200, 200, 500, 200]
    assert "poison" not in found[2].text and "log" in found[2].json()["detail"]
