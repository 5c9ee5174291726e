"""The engine of Ray: the same output as that of one machine, on a cluster that loses workers and nodes."""

import importlib.util
import os
import signal
import sys

import psutil
import pytest
import srsly

from scripts.scale import cluster

from .reading import errors, parts, table

DID_NOT_RUN = "RAY TESTS DID NOT RUN: pip install -r requirements-ray.txt"


@pytest.fixture(scope="module")
def nodes():
    """A cluster of three nodes on this machine, with one core each; the first pretends to have a GPU."""
    if importlib.util.find_spec("ray") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(DID_NOT_RUN)
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 1})
    for _ in range(2):
        found.add_node(num_cpus=1)
    yield found
    found.shutdown()


@pytest.fixture
def corpus(texts, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for first in range(0, 400, 100):
        rows = [{"text": text, "n": n} for n, text in enumerate(texts[first : first + 100])]
        rows[7] = {"text": None, "n": 7}
        srsly.write_jsonl(folder / f"rows-{first}.jsonl", rows)
    return folder


def kill_a_worker(node) -> None:
    """Kill a process of Ray on a node that annotates, as the system does if memory is short."""
    (raylet,) = node.all_processes["raylet"]
    children = psutil.Process(raylet.process.pid).children(recursive=True)
    actor = next(child for child in children if "ray::Actor" in " ".join(child.cmdline()))
    actor.send_signal(signal.SIGKILL)


def test_a_worker_and_a_node_are_killed(nodes, run, corpus, tmp_path, monkeypatch):
    """Nothing is lost or doubled, and what is written is what one machine writes."""
    given, ends = cluster.Pool.give, []

    def give(pool, actor, queue):
        given(pool, actor, queue)
        done = len(parts(tmp_path / "out"))
        if done >= 3 and not ends:
            ends.append("worker")
            kill_a_worker(nodes.head_node)
        elif done >= 6 and len(ends) == 1:
            ends.append("node")
            nodes.remove_node(nodes.worker_nodes.copy().pop(), allow_graceful=False)

    options = ("--part-rows", 20, "--engine", "ray", "--address", nodes.address)
    with monkeypatch.context() as patch:
        patch.setattr(cluster.Pool, "give", give)
        result = run(corpus, *options)
    assert result.code == 0, result.err
    # The worker of the node may have had nothing to do.
    assert ends == ["worker", "node"] and "is lost" in result.err
    assert "workers: 3, nodes: 3" in result.out
    assert run(corpus, "--part-rows", 20, output=tmp_path / "local").code == 0
    assert table(tmp_path / "out") == table(tmp_path / "local")
    assert errors(tmp_path / "out") == errors(tmp_path / "local")
    assert len(table(tmp_path / "out")) == 396 and len(errors(tmp_path / "out")) == 4
    # What one engine has begun, the other goes on with.
    (tmp_path / "local" / "part-000003.parquet").unlink()
    result = run(corpus, *options, output=tmp_path / "local")
    assert "380 of 400 rows are annotated already" in result.out
    assert table(tmp_path / "out") == table(tmp_path / "local")


def test_what_is_wrong_is_said_in_a_line(nodes, run, corpus, tmp_path):
    options = ("--engine", "ray", "--address", nodes.address)
    result = run(corpus, *options, "--strict")
    assert result.code == 1 and "rows-0.jsonl:8: no text in column 'text'" in result.line
    result = run(corpus, *options, "--gpus", 2)
    assert result.code == 1 and "--gpus 2: the cluster has 1." in result.line
    # The worker is told to use the GPU, which there is none of.
    result = run(corpus, *options, "--gpus", 1, output=tmp_path / "gpu")
    assert result.code == 1 and "--gpu-id 0: " in result.line
    assert not parts(tmp_path / "gpu")
    assert not parts(tmp_path / "out")


def test_without_ray(run, corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install -r requirements-ray.txt" in run(corpus, "--engine", "ray").line
    assert "--address and --gpus are of --engine ray" in run(corpus, "--gpus", 1).line
