from collections.abc import Iterator

import pytest
from tests.processes import Pool


@pytest.fixture(scope="session")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(2, tmp_path_factory.mktemp("gloo") / "store")
    yield pool
    pool.close()
