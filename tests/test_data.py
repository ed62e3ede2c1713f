import errno
import gzip
import hashlib
import http.client
import json
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import SSLError
from types import SimpleNamespace
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import _openml, get_data_home, load_digits

from dlcourse import data, downloads

TRAIN, SHAPE, DATA_ID = 60, (2, 3), 40996
PIXELS = np.random.default_rng(0).integers(0, 256, (TRAIN + 20, 6))
PIXELS[0, :2] = 0, 255
LABELS = np.concatenate([np.repeat(np.arange(10), 6), np.arange(20) % 10])

seeds = st.integers(0, 2**64)
digits_sizes = st.integers(1, 1150)


class OpenML(ThreadingHTTPServer):
    """A small data set in the format of OpenML's, on 127.0.0.1."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.paths = []
        self.error = None
        self.shortened = 0
        self.file = arff(PIXELS, LABELS)
        self.md5 = hashlib.md5(self.file).hexdigest()

    def answer(self, path):
        """Return what OpenML has at a path, and whether it is compressed."""
        if path.startswith("/data/v1/download/1/") or path == "/data/v1/download/1":
            packed = gzip.compress(self.file)
            return packed[: len(packed) - self.shortened], True
        api = "/api/v1/json/data/"
        tables = {
            f"{api}{DATA_ID}": {"data_set_description": self.description()},
            f"{api}features/{DATA_ID}": {"data_features": {"feature": features()}},
            f"{api}qualities/{DATA_ID}": {
                "data_qualities": {
                    "quality": [{"name": "NumberOfInstances", "value": f"{len(PIXELS)}.0"}]
                }
            },
        }
        return json.dumps(tables[path]).encode(), False

    def description(self):
        return {
            "id": str(DATA_ID),
            "name": "Fashion-MNIST",
            "version": "1",
            "description": "clothes",
            "format": "ARFF",
            "status": "active",
            "file_id": "1",
            "url": "https://api.openml.org/data/v1/download/1/Fashion-MNIST.arff",
            "md5_checksum": self.md5,
        }


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.paths.append(self.path)
        if self.server.error:
            self.send_error(self.server.error)
            return
        body, packed = self.server.answer(self.path)
        self.send_response(200)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def features():
    common = {"is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
    pixels = [
        {"index": str(i), "name": f"pixel{i + 1}", "data_type": "numeric", "is_target": "false"}
        for i in range(6)
    ]
    label = {"index": "6", "name": "class", "data_type": "nominal", "is_target": "true"}
    return [feature | common for feature in [*pixels, label]]


def arff(pixels, labels):
    head = [f"@ATTRIBUTE pixel{i + 1} REAL" for i in range(6)]
    label = "@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}"
    rows = [",".join(map(str, [*row, y])) for row, y in zip(pixels, labels, strict=True)]
    return "\n".join(["@RELATION Fashion-MNIST", *head, label, "@DATA", *rows, ""]).encode()


@pytest.fixture
def openml(monkeypatch):
    server = OpenML()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    redirect(monkeypatch, server.server_port)
    small = downloads.Source(DATA_ID, SHAPE, TRAIN, 10 * (2,), megabytes=1)
    monkeypatch.setitem(downloads.SOURCES, "fashion_mnist", small)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def redirect(monkeypatch, port):
    """Send what scikit-learn asks of openml.org to 127.0.0.1, and let it not wait to try again.

    Not by `_OPENML_PREFIX`, which scikit-learn 1.5 has and 1.9 has not; both have this name.
    """

    def here(request, *args, **kwargs):
        url = re.sub(r"https://[a-z.]*openml\.org", f"http://127.0.0.1:{port}", request.full_url)
        assert url.startswith("http://127.0.0.1:")
        return urlopen(Request(url, headers=dict(request.header_items())), *args, **kwargs)

    monkeypatch.setattr(_openml, "urlopen", here)
    monkeypatch.setattr(_openml, "time", SimpleNamespace(sleep=lambda _: None))


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def refused(folder, sentence):
    """Return the cause, once a download was refused with a sentence and left nothing behind."""
    with pytest.raises(data.DataError, match=sentence) as refusal:
        data.download("fashion_mnist", folder)
    assert not files(folder) and not list(folder.glob("dlcourse/*"))
    assert not data.is_downloaded("fashion_mnist", folder)
    assert not [t for t in threading.enumerate() if "watch" in t.name]
    return refusal.value.__cause__


def no_space(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def rows(X):
    return set(map(bytes, X))


# --- what is downloaded


def test_what_is_downloaded_is_loaded_as_it_was_sent(openml, tmp_path):
    assert not data.is_downloaded("fashion_mnist", tmp_path)
    data.download("fashion_mnist", tmp_path)
    assert data.is_downloaded("fashion_mnist", tmp_path)
    loaded = data.fashion_mnist(folder=tmp_path)
    assert (loaded.name, loaded.shape) == ("fashion_mnist", SHAPE)
    assert loaded.X_train.dtype == loaded.X_test.dtype == np.float32
    assert loaded.y_train.dtype == loaded.y_test.dtype == np.int64
    assert loaded.X_train[0, 0] == 0 and loaded.X_train[0, 1] == 1
    assert (np.vstack([loaded.X_train, loaded.X_test]) == (PIXELS / 255).astype(np.float32)).all()
    assert (loaded.y_train == LABELS[:TRAIN]).all() and (loaded.y_test == LABELS[TRAIN:]).all()


def test_a_second_load_or_download_asks_for_nothing(openml, tmp_path):
    data.download("fashion_mnist", tmp_path)
    assert openml.paths
    openml.paths.clear()
    data.fashion_mnist(folder=tmp_path)
    data.fashion_mnist(folder=str(tmp_path))
    data.download("fashion_mnist", tmp_path)
    assert not openml.paths


def test_loading_never_downloads(openml, tmp_path):
    sentence = r"fashion_mnist is not in .*: dlcourse\.data\.download\('fashion_mnist', '.*'\) gets"
    with pytest.raises(data.DataError, match=sentence + " it once, about 1 MB") as refusal:
        data.fashion_mnist(folder=tmp_path)
    assert isinstance(refusal.value.__cause__, FileNotFoundError)
    assert not openml.paths and not files(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_no_broken_file(openml, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(data.DataError, match=r"fashion_mnist is not in .*file: "):
        data.fashion_mnist(folder=tmp_path / "file")


@pytest.mark.parametrize("error", [MemoryError("too much"), PermissionError(errno.EACCES, "no")])
def test_what_is_no_fault_of_the_file_is_told_as_it_is(openml, tmp_path, monkeypatch, error):
    """And is no reason to download it again."""
    data.download("fashion_mnist", tmp_path)
    openml.paths.clear()

    def failing(*args, **more):
        raise error

    place = (np, "load") if isinstance(error, MemoryError) else (Path, "open")
    monkeypatch.setattr(*place, failing)
    with pytest.raises(type(error)) as raised:
        data.fashion_mnist(folder=tmp_path)
    assert raised.value is error
    with pytest.raises(data.DataError) as refusal:
        data.download("fashion_mnist", tmp_path)
    assert refusal.value.__cause__ is error and not openml.paths


def test_only_the_compact_file_is_kept(openml, tmp_path):
    data.download("fashion_mnist", tmp_path)
    assert files(tmp_path) == [tmp_path / "dlcourse" / "fashion_mnist.npz"]


def test_the_default_folder_is_that_of_scikit_learn(monkeypatch, tmp_path):
    for home in (str(tmp_path / "named"), None):
        if home is None:
            monkeypatch.delenv("SCIKIT_LEARN_DATA")
            monkeypatch.setenv("HOME", str(tmp_path))
            monkeypatch.setenv("USERPROFILE", str(tmp_path))
        else:
            monkeypatch.setenv("SCIKIT_LEARN_DATA", home)
        path = Path(get_data_home()) / "dlcourse" / "mnist.npz"
        assert not data.is_downloaded("mnist")
        path.parent.mkdir()
        path.touch()
        assert data.is_downloaded("mnist")


def test_progress_counts_what_arrives_beside_what_is_expected(openml, tmp_path, capsys):
    with downloads._progress("fashion_mnist", tmp_path):
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "file.gz").write_bytes(bytes(250_000))
    last = capsys.readouterr().err.split("\r")[-1]
    assert last.startswith("fashion_mnist") and " 250k/1.00M " in last


@pytest.mark.filterwarnings("ignore:A network error occurred")
def test_without_a_network_the_sentence_says_so(openml, tmp_path, monkeypatch):
    closed = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    closed.server_close()
    redirect(monkeypatch, closed.server_port)
    cause = refused(tmp_path, "fashion_mnist is not downloaded: OpenML cannot be reached; check")
    assert isinstance(cause, URLError) and not isinstance(cause, HTTPError)


@pytest.mark.filterwarnings("ignore:A network error occurred")
def test_when_openml_is_down_the_sentence_says_so_after_three_retries(openml, tmp_path):
    openml.error = 503
    cause = refused(tmp_path, "OpenML answers with error 503, it may be down; try again later")
    assert isinstance(cause, HTTPError)
    assert len(openml.paths) == 4


@pytest.mark.filterwarnings("ignore:.*redownloading")
@pytest.mark.parametrize("slip", ["md5", "shortened", "order", "half a grey"])
def test_what_is_not_the_data_set_is_refused_and_a_good_retry_works(openml, tmp_path, slip):
    good = dict(file=openml.file, md5=openml.md5, shortened=0)
    if slip == "md5":
        openml.md5 = "0" * 32
    elif slip == "shortened":
        openml.shortened = 20
    else:
        sent = (PIXELS[::-1], LABELS[::-1]) if slip == "order" else (PIXELS / 2, LABELS)
        openml.file = arff(*sent)
        openml.md5 = hashlib.md5(openml.file).hexdigest()
    cause = refused(tmp_path, "what came from OpenML is not what it must be; try again later")
    assert isinstance(cause, EOFError if slip == "shortened" else ValueError)
    vars(openml).update(good)
    data.download("fashion_mnist", tmp_path)
    assert (data.fashion_mnist(folder=tmp_path).y_train == LABELS[:TRAIN]).all()


@pytest.mark.filterwarnings("ignore:.*redownloading")
@pytest.mark.parametrize("writer", [(shutil, "copyfileobj"), (np, "savez_compressed")])
def test_a_full_disk_leaves_nothing_behind(openml, tmp_path, monkeypatch, writer):
    with monkeypatch.context() as patched:
        patched.setattr(*writer, no_space)
        cause = refused(tmp_path, "the disk is full; free 3 MB in ")
    assert cause.errno == errno.ENOSPC
    data.download("fashion_mnist", tmp_path)
    assert data.fashion_mnist(folder=tmp_path).X_train.shape == (TRAIN, 6)


@pytest.mark.parametrize("writer", [(shutil, "copyfileobj"), (np, "savez_compressed")])
def test_an_interrupt_leaves_nothing_behind(openml, tmp_path, monkeypatch, writer):
    def interrupted(target, *args, **kwargs):
        source, destination = (None, target) if isinstance(target, Path) else (target, args[0])
        if source is None:
            destination.write_bytes(b"half a file")
        else:
            destination.write(source.read(10))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(*writer, interrupted)
        with pytest.raises(KeyboardInterrupt):
            data.download("fashion_mnist", tmp_path)
    assert not files(tmp_path) and not list(tmp_path.glob("dlcourse/*"))
    data.download("fashion_mnist", tmp_path)
    assert (data.fashion_mnist(folder=tmp_path).y_test == LABELS[TRAIN:]).all()


def test_where_no_file_can_be_made_the_sentence_says_so(openml, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(data.DataError, match=r"file.dlcourse cannot be written to; name another"):
        data.download("fashion_mnist", tmp_path / "file")

    def forbidden(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(downloads, "TemporaryDirectory", forbidden)
    assert isinstance(refused(tmp_path / "new", "cannot be written to"), PermissionError)
    assert not openml.paths


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConnectionResetError(errno.ECONNRESET, "reset"), "cannot be reached"),
        (TimeoutError("slow"), "cannot be reached"),
        (SSLError(1, "record layer failure"), "cannot be reached"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (http.client.IncompleteRead(b""), "cannot be reached"),
        (gzip.BadGzipFile("not a gzip file"), "what came from OpenML"),
        (KeyError("data_set_description"), "what came from OpenML"),
        (MemoryError(), "0.9 GB of memory"),
    ],
)
def test_every_error_of_a_download_has_its_sentence(openml, tmp_path, monkeypatch, error, sentence):
    def failing(*args, **kwargs):
        raise error

    monkeypatch.setattr(downloads, "fetch_openml", failing)
    assert refused(tmp_path, sentence) is error


@pytest.mark.parametrize("slip", ["cut short", "empty", "one bit", "other images", "no archive"])
def test_a_broken_file_is_refused_and_made_anew(openml, tmp_path, slip):
    data.download("fashion_mnist", tmp_path)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    with np.load(path) as kept:
        parts = dict(kept)
    if slip == "other images":
        np.savez_compressed(path, **(parts | {"X": parts["X"] ^ np.uint8(1)}))
    elif slip == "one bit":
        middle = whole.index(b"X.npy") + 60
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    else:
        short = whole[: len(whole) // 2]
        path.write_bytes({"cut short": short, "empty": b"", "no archive": b"x" * 99}[slip])
    with pytest.raises(data.DataError, match=r"mnist\.npz is broken: .*download\(.* makes it anew"):
        data.fashion_mnist(folder=tmp_path)
    data.download("fashion_mnist", tmp_path)
    assert (data.fashion_mnist(folder=tmp_path).y_train == LABELS[:TRAIN]).all()


def test_the_standard_splits_have_ten_thousand_test_images():
    for source in downloads.SOURCES.values():
        assert source.train == 60_000 and sum(source.test_counts) == 10_000
    assert [s.data_id for s in downloads.SOURCES.values()] == [554, 40996]


def test_downloaded_images_are_cut_as_the_digits_are(openml, tmp_path):
    data.download("fashion_mnist", tmp_path)
    part = data.fashion_mnist(20, wrong_labels=0.5, validation=True, folder=tmp_path)
    assert (len(part.y_train), len(part.y_test), part.wrong.sum()) == (20, TRAIN // 5, 10)
    assert (np.bincount(part.y_test) > 0).all()
    train, held = rows(part.X_train), rows(part.X_test)
    known = rows((PIXELS[:TRAIN] / 255).astype(np.float32))
    assert train < known and held < known and not train & held


# --- what is cut out of it


def test_the_fixed_split_is_the_same_as_always():
    d = data.digits()
    whole = b"".join(a.tobytes() for a in (d.X_train, d.y_train, d.X_test, d.y_test))
    assert hashlib.sha256(whole).hexdigest()[:16] == "047e39c591cf2526"
    assert d.X_train.dtype == np.float64 and not d.wrong.any()


@given(seed=seeds, validation=st.booleans())
def test_all_training_images_are_the_same_as_no_size(seed, validation):
    everything = data.digits(seed=seed, validation=validation)
    n = 1150 if validation else 1437
    for name in ("X_train", "y_train", "X_test", "y_test"):
        same = getattr(data.digits(n, seed=seed, validation=validation), name)
        assert (same == getattr(everything, name)).all()
    assert len(everything.y_train) == n


@given(size=digits_sizes, seed=seeds, validation=st.booleans())
def test_each_class_keeps_its_share(size, seed, validation):
    share = np.bincount(data.digits().y_train) / 1437
    part = data.digits(size, seed=seed, validation=validation)
    assert len(part.y_train) == size
    # each class is off by at most half an image, and the nine others shift it by their share
    assert abs(np.bincount(part.y_train, minlength=10) - size * share).max() < 2
    if validation:
        assert abs(np.bincount(part.y_test) - 287 * share).max() < 1


@given(sizes=st.tuples(digits_sizes, digits_sizes), seed=seeds, validation=st.booleans())
def test_fewer_images_are_among_more(sizes, seed, validation):
    few, many = (data.digits(n, seed=seed, validation=validation) for n in sorted(sizes))
    assert rows(few.X_train) <= rows(many.X_train)
    assert (few.X_test == many.X_test).all()


def test_images_keep_their_labels():
    X, y = load_digits(return_X_y=True)
    label = {bytes(row): digit for row, digit in zip(X / 16, y, strict=True)}
    part = data.digits(300, seed=5, validation=True)
    for images, labels in ((part.X_train, part.y_train), (part.X_test, part.y_test)):
        assert [label[bytes(row)] for row in images] == labels.tolist()


@given(fraction=st.floats(0, 1), size=digits_sizes, seed=seeds, validation=st.booleans())
def test_exactly_so_many_labels_are_wrong(fraction, size, seed, validation):
    right = data.digits(size, seed=seed, validation=validation)
    some = data.digits(size, wrong_labels=fraction, seed=seed, validation=validation)
    assert some.wrong.shape == (size,) and some.wrong.sum() == round(fraction * size)
    assert ((some.y_train != right.y_train) == some.wrong).all()
    assert some.y_train.min() >= 0 and some.y_train.max() <= 9
    assert (some.X_train == right.X_train).all() and (some.X_test == right.X_test).all()
    assert (some.y_test == right.y_test).all()


@given(fractions=st.tuples(st.floats(0, 1), st.floats(0, 1)), seed=seeds)
def test_a_larger_fraction_makes_the_same_labels_wrong_and_more(fractions, seed):
    few, many = (data.digits(500, wrong_labels=f, seed=seed) for f in sorted(fractions))
    assert (few.wrong <= many.wrong).all()
    assert (few.y_train == many.y_train)[few.wrong].all()


def test_wrong_labels_are_uniform_among_the_nine_others():
    steps = np.concatenate(
        [
            (data.digits(wrong_labels=1.0, seed=s).y_train - data.digits().y_train) % 10
            for s in range(10)
        ]
    )
    counts = np.bincount(steps, minlength=10)
    # chi-squared with 8 degrees of freedom exceeds 31.8 once in 10,000 seeds
    expected = len(steps) / 9
    assert counts[0] == 0 and ((counts[1:] - expected) ** 2 / expected).sum() < 31.8


def test_wrong_labels_are_chosen_without_regard_to_the_choice_of_images():
    chosen = rows(data.digits(144, seed=3).X_train)
    noisy = data.digits(wrong_labels=0.1, seed=3)
    # 14 of the 144 by chance, with a standard error of 3.4
    assert len(rows(noisy.X_train[noisy.wrong]) & chosen) < 32


def test_another_seed_chooses_otherwise():
    one, other = (data.digits(500, wrong_labels=0.2, seed=s, validation=True) for s in (1, 2))
    assert rows(one.X_train) != rows(other.X_train) and rows(one.X_test) != rows(other.X_test)
    assert (one.wrong != other.wrong).any()


@settings(max_examples=20)
@given(seed=seeds)
def test_the_validation_part_is_cut_out_of_the_training_images(seed):
    everything, part = data.digits(), data.digits(seed=seed, validation=True)
    train, held = rows(part.X_train), rows(part.X_test)
    assert len(part.y_test) == 287 and len(part.y_train) == 1437 - 287
    assert not train & held and train | held == rows(everything.X_train)
    assert not (train | held) & rows(everything.X_test)


@pytest.mark.parametrize("name", ["X_train", "y_train", "X_test", "y_test", "wrong"])
@pytest.mark.parametrize("asked", [{}, {"train_size": 9, "validation": True, "wrong_labels": 0.5}])
def test_the_arrays_are_read_only(name, asked):
    with pytest.raises(ValueError, match="read-only"):
        getattr(data.digits(**asked), name)[0] = 1


@pytest.mark.parametrize("load", [data.digits, data.fashion_mnist, data.mnist])
@pytest.mark.parametrize(
    ("asked", "error", "sentence"),
    [
        ({"train_size": 0}, ValueError, "train_size must be an int from 1 to LAST, got 0"),
        (
            {"train_size": -5},
            ValueError,
            "train_size must be an int from 1 to LAST, got -5",
        ),
        ({"train_size": True}, TypeError, "an int from 1 to LAST, got True"),
        ({"train_size": 0.5}, TypeError, "an int from 1 to LAST, got 0.5"),
        ({"train_size": 10**6}, ValueError, "an int from 1 to LAST, got 1000000"),
        ({"wrong_labels": 20}, ValueError, r"wrong_labels must be .* got 20 \(a percentage\?\)"),
        ({"wrong_labels": -0.1}, ValueError, "wrong_labels must be a probability"),
        ({"wrong_labels": None}, TypeError, "wrong_labels must be a probability"),
        ({"seed": -1}, ValueError, "seed must be an int >= 0, got -1"),
        ({"seed": None}, TypeError, "seed must be an int >= 0, got None"),
        ({"validation": 1}, TypeError, "validation must be True or False, got 1"),
    ],
)
def test_bad_input_is_quoted_beside_the_rule(load, asked, error, sentence):
    images = 1437 if load is data.digits else 60_000
    with pytest.raises(error, match=sentence.replace("LAST", str(images))):
        load(**asked)
    if "train_size" in asked:
        with pytest.raises(error, match=sentence.replace("LAST", str(images - images // 5))):
            load(**asked, validation=True)


@pytest.mark.parametrize("function", [data.download, data.is_downloaded])
def test_bad_names_and_folders_are_quoted(function):
    with pytest.raises(ValueError, match=r"'mnist' or 'fashion_mnist', got 'cifar10'$"):
        function("cifar10")
    with pytest.raises(ValueError, match=r"got 'mnist_784' \('mnist'\?\)"):
        function("mnist_784")
    with pytest.raises(TypeError, match="got 554"):
        function(554)
    with pytest.raises(TypeError, match="folder must be None or a path, got 7"):
        function("mnist", 7)
