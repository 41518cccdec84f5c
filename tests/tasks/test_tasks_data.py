"""The built-in tasks' data: shapes, and nothing that two parts share."""

import gzip

import numpy as np
import pytest

from surefoot.datasets.text import SHAKESPEARE, shakespeare
from surefoot.design.studies import STUDIES
from surefoot.errors import DataError, UsageError
from surefoot.tasks import TASKS, make_task
from surefoot.tasks.models.characters import CONTEXT, VOCABULARY, codes, parts, rows
from surefoot.tasks.models.quadratic import hessian, rotation
from surefoot.tasks.models.surfaces import STEPS, SURFACES


def task(name):
    return make_task(name, "shakespeare" if name == "char-lm" else "", size=None, validation=0.0)


@pytest.fixture(scope="module")
def text():
    return shakespeare()


def test_the_text_is_300_000_characters_of_shakespeare(text):
    assert len(text) == 299_868
    assert text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.")
    assert len(set(text)) == VOCABULARY


def test_a_damaged_text_is_told(tmp_path):
    file = tmp_path / "plays.txt.gz"
    file.write_bytes(gzip.compress(gzip.decompress(SHAKESPEARE.read_bytes()).replace(b"Speak", b"speak", 1)))
    with pytest.raises(DataError, match="is damaged: its text has the sha256"):
        shakespeare(file)
    file.write_bytes(SHAKESPEARE.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"plays\.txt\.gz"):
        shakespeare(file)
    with pytest.raises(DataError, match="Install surefoot again"):
        shakespeare(tmp_path / "none.gz")


def test_codes_are_places_in_the_sorted_alphabet():
    assert codes("banana\n").tolist() == [2, 1, 3, 1, 3, 1, 0]


def test_rows_are_the_text_itself_in_order_and_in_one_part_only(text):
    """Put together again, the rows of the three parts are three stretches of the text that do not meet."""
    letters, whole = np.array(sorted(set(text))), codes(text)
    end = 0
    for split, part in zip(vars(task("char-lm").data).values(), parts(whole), strict=True):
        (found,) = split.arrays
        assert found.shape == (len(part) // (CONTEXT + 1), CONTEXT + 1)
        assert found.dtype == np.uint8
        told = "".join(letters[found.ravel()])
        begin = text.index(told, end)
        assert begin >= end
        end = begin + len(told)
    assert len(text) - end <= CONTEXT


def test_a_part_too_short_for_another_row_loses_its_rest():
    assert rows(np.arange(140, dtype=np.uint8)).tolist() == [list(range(65)), list(range(65, 130))]


def test_the_rotation_is_a_rotation():
    turned = rotation(100, np.random.RandomState(3))
    np.testing.assert_allclose(turned @ turned.T, np.eye(100), atol=1e-12)
    assert np.linalg.det(turned) == pytest.approx(1)


def test_rotations_are_uniform_in_each_direction():
    """Every entry of a uniformly random rotation has mean 0 and variance 1 / size."""
    random = np.random.RandomState(0)
    drawn = np.array([rotation(4, random) for _ in range(4000)])
    assert np.abs(drawn.mean(0)).max() < 4.5 * 0.5 / np.sqrt(4000)
    # an entry's square is Beta(1/2, 3/2): its deviation is 1/4
    assert np.abs((drawn**2).mean(0) - 0.25).max() < 4.5 * 0.25 / np.sqrt(4000)


def test_the_hessian_has_the_published_spectrum():
    h = hessian()
    np.testing.assert_allclose(h, h.T, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(h)
    assert ((eigenvalues[:90] > 0) & (eigenvalues[:90] < 1)).all()
    assert ((eigenvalues[90:] > 30) & (eigenvalues[90:] < 60)).all()


def test_the_quadratics_parts_have_no_example_in_common():
    data = task("quadratic-deep").data
    found = [split.arrays[0] for split in (data.train, data.validation, data.test)]
    assert [part.shape for part in found] == [(1000, 100), (1000, 100), (896, 100)]
    assert {part.dtype for part in found} == {np.dtype(np.float32)}
    every = np.concatenate(found)
    assert len(np.unique(every, axis=0)) == len(every)
    assert abs(every.std() - 0.6) < 4 * 0.6 / np.sqrt(2 * every.size)


@pytest.mark.parametrize("name", SURFACES)
def test_a_surfaces_epoch_is_its_steps(name):
    data = task(name).data
    assert [len(split) for split in (data.train, data.validation, data.test)] == [STEPS, 1, 1]
    assert STUDIES[name].batch_size == 1


@pytest.mark.parametrize("name", ["rosenbrock", "quadratic-deep", "char-lm"])
def test_a_task_that_brings_its_data_refuses_other(name):
    own = "shakespeare" if name == "char-lm" else ""
    with pytest.raises(UsageError, match=f"the task {name} brings its own data; leave out dataset and train_size"):
        make_task(name, "kmnist", size=None, validation=0.0)
    with pytest.raises(UsageError, match="train_size"):
        make_task(name, own, size=100, validation=0.0)


@pytest.mark.parametrize("name", [name for name in TASKS if STUDIES[name].dataset in ("mnist", "fashion-mnist")])
def test_images_keep_the_last_of_the_training_part_for_validation(name, mnist_read_once):
    made = make_task(name, "mnist", size=600, validation=STUDIES[name].validation)
    assert made.name == name
    whole = mnist_read_once("mnist", None).train_images
    train, validation = made.data.train.arrays[0], made.data.validation.arrays[0]
    assert len(train) + len(validation) == 600
    assert np.array_equal(np.concatenate([train, validation]), whole[:600])


def test_every_study_has_a_task_and_every_task_a_study():
    assert {study.task for study in STUDIES.values()} == set(TASKS)


def test_the_small_studies_are_tuned_and_bring_or_hold_their_data():
    small = [study for study in STUDIES.values() if study.small]
    assert len(small) >= 7
    assert all(study.trials and study.dataset in ("", "mnist") for study in small)
