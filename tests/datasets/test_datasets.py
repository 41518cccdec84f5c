"""Data sets: the real MNIST inside the package, and every way in which a file can be missing, damaged or wrong."""

import gzip
import hashlib
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest

from surefoot.datasets import NAMES, catalog, load
from surefoot.datasets.catalog import FILES, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, CatalogEntry
from surefoot.datasets.idx import parse, unpack
from surefoot.datasets.load import read
from surefoot.errors import DataError, UsageError

DEBIAN = Path("/usr/share/datasets")


def idx(values) -> bytes:
    array = np.asarray(values, np.uint8)
    return struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
TINY = {
    TRAIN_IMAGES: idx(IMAGES[:4]),
    TRAIN_LABELS: idx([0, 1, 2, 0]),
    TEST_IMAGES: idx(IMAGES[4:]),
    TEST_LABELS: idx([2, 1]),
}


def tiny_entry(files: dict[str, bytes], url: str | None = "http://127.0.0.1:9/") -> CatalogEntry:
    sha256 = {name: (hashlib.sha256(content).hexdigest(),) for name, content in files.items()}
    return CatalogEntry("tiny", ("a", "b", "c"), "CC0", "a test", sha256, url)


def place(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def compressed(**changed: bytes) -> dict[str, bytes]:
    return {name: gzip.compress(changed.get(name, content), mtime=0) for name, content in TINY.items()}


@pytest.fixture(autouse=True)
def no_network_no_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.delenv("SUREFOOT_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


def test_mnist_is_the_real_one():
    mnist = load("mnist")
    assert mnist.train_images.shape == (60_000, 28, 28)
    assert mnist.test_images.shape == (10_000, 28, 28)
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(mnist.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.train_images.mean() / 255 == pytest.approx(0.1306604762738429)  # the well-known 0.1307
    assert mnist.train_images.dtype == mnist.train_labels.dtype == np.uint8
    assert mnist.train_images.flags.writeable
    assert mnist.classes == tuple("0123456789")


def test_every_entry_knows_all_its_files():
    assert NAMES == ("mnist", "kmnist", "fashion-mnist")
    for entry in catalog.ENTRIES.values():
        assert set(entry.sha256) == set(FILES)
        assert all(len(sha256) == 64 for accepted in entry.sha256.values() for sha256 in accepted)
        assert len(entry.classes) == 10
        assert entry.licence
        assert entry.source


@pytest.mark.skipif(not (DEBIAN / "fashion-mnist").is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist_by_argument_and_by_environment(monkeypatch):
    fashion = load("fmnist", DEBIAN)
    assert fashion.name == "fashion-mnist"
    assert np.bincount(fashion.train_labels).tolist() == [6000] * 10
    assert fashion.classes[fashion.train_labels[0]] == "Ankle boot"
    monkeypatch.setenv("SUREFOOT_DATA", str(DEBIAN / "fashion-mnist"))
    assert np.array_equal(load("fashion-mnist").test_images, fashion.test_images)
    with pytest.raises(DataError, match="it belongs to fashion-mnist"):
        load("kmnist")


@pytest.mark.parametrize("sub", ["tiny", "."])
def test_the_users_folder_is_searched_first(tmp_path, sub):
    files = compressed()
    place(tmp_path / sub, files)
    tiny = read(tiny_entry(files), tmp_path)
    assert np.array_equal(tiny.train_images, IMAGES[:4])
    assert tiny.test_labels.tolist() == [2, 1]


def test_unknown_name_names_the_close_ones():
    with pytest.raises(UsageError, match=r"unknown data set 'kmnits'. Did you mean 'kmnist'"):
        load("kmnits")


def test_a_folder_that_does_not_exist(monkeypatch, tmp_path):
    with pytest.raises(UsageError, match=r"data_dir.*not a folder"):
        load("mnist", tmp_path / "nowhere")
    monkeypatch.setenv("SUREFOOT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"SUREFOOT_DATA is .*nowhere"):
        load("mnist")


def test_wrong_checksum_names_file_expected_and_got(tmp_path):
    files = compressed()
    entry = tiny_entry(files)
    damaged = bytearray(files[TRAIN_IMAGES])
    damaged[100] ^= 1
    place(tmp_path, files | {TRAIN_IMAGES: bytes(damaged)})
    with pytest.raises(DataError) as caught:
        read(entry, tmp_path)
    text = str(caught.value)
    assert str(tmp_path / TRAIN_IMAGES) in text
    assert "damaged" in text
    assert entry.sha256[TRAIN_IMAGES][0] in text
    assert hashlib.sha256(damaged).hexdigest() in text


def test_a_damaged_package_asks_for_a_new_install(tmp_path):
    with pytest.raises(DataError, match="Install surefoot again"):
        read(tiny_entry(compressed(), url=None), tmp_path)


def test_no_network_and_no_file_names_both_ways_out(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tiny_entry(compressed()), tmp_path)
    assert all(word in str(caught.value) for word in (*FILES, "connect", "data_dir", "SUREFOOT_DATA"))


def test_fashion_mnist_without_network_names_debians_package(monkeypatch):
    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", offline)
    with pytest.raises(DataError, match=r"no route to host.*apt install dataset-fashion-mnist"):
        load("fashion-mnist")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (TRAIN_IMAGES, idx([1, 2, 3]), "expected 00000803"),
        (TRAIN_LABELS, b"", r"\(none\), expected 00000801"),
        (TRAIN_IMAGES, TINY[TRAIN_IMAGES][:-1], "cut off or damaged: it has 3135 bytes of data, expected 3136"),
        (TRAIN_IMAGES, TINY[TRAIN_IMAGES] + b"x", "3137 bytes of data, expected 3136"),
        (TRAIN_LABELS, idx([0, 1, 2]), "has 4 images, but .*labels.* has 3 labels"),
        (TEST_LABELS, idx([0, 3]), "has the label 3, expected 0 to 2"),
        (TEST_IMAGES, idx(np.zeros((2, 27, 28))), r"images of \(27, 28\) pixels"),
    ],
)
def test_content_that_cannot_be_right(tmp_path, name, content, message):
    files = compressed(**{name: content})
    place(tmp_path, files)
    with pytest.raises(DataError, match=message) as caught:
        read(tiny_entry(files), tmp_path)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "damaged",
    [b"plain text", gzip.compress(b"x" * 99)[:-9], gzip.compress(b"abc")[:10] + b"\xff" * 9],
    ids=["no gzip", "cut off", "bad stream"],
)
def test_damaged_gzip_names_the_file(damaged):
    with pytest.raises(DataError, match=r"some\.gz is not a whole gzip file"):
        unpack(damaged, "some.gz")


def test_an_empty_set_parses():
    assert parse(bytearray(idx(np.zeros((0, 28, 28)))), 3, "empty").shape == (0, 28, 28)


class Server(HTTPServer):
    """Serves the given files on this machine, and counts; `short` cuts each answer to half of what it announced."""

    def __init__(self, files, short=False):
        self.files, self.short, self.asked = files, short, []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        self.server.asked.append(name)
        body = self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.server.short else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(files, **options):
        server = Server(files, **options)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_downloads_once_into_the_cache(serve, tmp_path):
    files = compressed()
    server = serve(files)
    entry = tiny_entry(files, server.url)
    for _ in range(2):
        assert np.array_equal(read(entry, None).train_images, IMAGES[:4])
    assert sorted(server.asked) == sorted(FILES)
    assert {path.name for path in (tmp_path / "cache" / "surefoot" / "tiny").iterdir()} == set(FILES)


def test_a_damaged_file_in_the_cache_is_downloaded_again(serve, tmp_path):
    files = compressed()
    entry = tiny_entry(files, serve(files).url)
    place(tmp_path / "cache" / "surefoot" / "tiny", {TRAIN_LABELS: b"half a fi"})
    assert read(entry, None).train_labels.tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("fault", ["interrupted", "another content"])
def test_a_bad_download_leaves_nothing_behind(serve, tmp_path, fault):
    files = compressed()
    wrong = dict.fromkeys(files, b"<html>Please log in</html>")
    server = serve(files, short=True) if fault == "interrupted" else serve(wrong)
    with pytest.raises(DataError, match=r"cannot download.*SUREFOOT_DATA"):
        read(tiny_entry(files, server.url), None)
    assert list((tmp_path / "cache").rglob("*.gz")) == []
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_mnist_needs_neither_pooch_nor_a_framework():
    code = (
        "import sys; from surefoot.datasets import load; load('mnist'); "
        "print([m for m in ('pooch', 'platformdirs', 'requests', 'torch', 'keras', 'jax') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
