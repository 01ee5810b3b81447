import json
from pathlib import Path

import pytest

from tests.inference.models import save_checkpoint, tiny_aligner, tiny_writer
from tests.media.video.writing import write_video
from vtlearn.cli.commands import tree
from vtlearn.cli.commands.clock import clock_time
from vtlearn.inference import SearchIndex, load


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return save_checkpoint(tiny_aligner().learner, folder / "tiny.ckpt")


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number, name in enumerate(("a", "b")):
        levels = [(60 + 40 * number + 3 * frame) % 256 for frame in range(75)]
        write_video(folder / f"{name}.mp4", levels)
    return folder


def call(videos: Path, checkpoint: Path, *options: str) -> int:
    index = str(videos.parent / "indexes")
    fixed = ["--in", str(videos), "--model", str(checkpoint), "--index", index, "--device", "cpu"]
    queries = [] if options and not options[0].startswith("-") else ["chop the carrot"]
    return tree.run("search", [*queries, *options, *fixed])


def test_a_table_names_moments(
    videos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(videos, checkpoint, "--top", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    model = load(checkpoint)
    index = SearchIndex.open(model, videos, home=videos.parent / "indexes")
    best = model.search("chop the carrot", index, top=3)[0]
    number, score, start, dash, end, path = lines[0].split()
    assert (number, dash, path) == ("1", "-", str(best.path))
    assert score == f"{best.score:.3f}"
    assert (start, end) == (clock_time(best.start), clock_time(best.end))


def test_json_has_the_same(
    videos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(videos, checkpoint, "stir the soup", "--json", "--top", "1") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["query"] == "stir the soup"
    (hit,) = result["hits"]
    assert set(hit) == {"path", "id", "start", "end", "score"}
    assert Path(hit["path"]).exists()
    assert hit["end"] - hit["start"] == 0.5


def test_a_page_shows_the_hits(videos: Path, checkpoint: Path, tmp_path: Path) -> None:
    page = tmp_path / "hits.html"
    assert call(videos, checkpoint, "--page", str(page)) == 0
    assert "videos/a.mp4#t=" in page.read_text()


def test_nothing_is_overwritten_or_done_for_nothing(
    videos: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "mine.html"
    page.write_text("mine")
    assert call(videos, checkpoint, "--page", str(page)) == 2
    assert f"{page} exists already, and is not overwritten" in capsys.readouterr().err
    assert page.read_text() == "mine"
    assert call(videos, checkpoint, "--page", str(tmp_path / "absent" / "p.html")) == 2
    assert "absent is not a directory" in capsys.readouterr().err
    assert not (tmp_path / "indexes").exists()


def test_what_cannot_be_read_is_counted(
    videos: Path, checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (videos / "bad.mp4").write_bytes(b"bad")
    for _ in range(2):
        caplog.clear()
        assert call(videos, checkpoint) == 0
        (report,) = (videos.parent / "indexes").rglob("unreadable.jsonl")
        assert f"1 of 3 videos cannot be read (why: {report})" in caplog.text


def test_too_many_of_those_are_a_sentence(
    videos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (videos / "bad.mp4").write_bytes(b"bad")
    assert call(videos, checkpoint, "--max-unreadable-fraction", "0") == 2
    assert "1 of 3 videos cannot be read, more than the 0 that" in capsys.readouterr().err


def test_a_model_that_writes_is_refused_before_anything_is_read(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = save_checkpoint(tiny_writer(tmp_path).learner, tmp_path / "w.ckpt")
    assert call(videos, writer) == 2
    error = capsys.readouterr().err
    assert error.startswith("vtlearn: error: ")
    assert "CaptioningDecoder compares no texts" in error
    assert not (tmp_path / "indexes").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([" "], "the query is empty"),
        (["chop", "the", "carrot"], 'put the query in quotes: "chop the carrot"'),
        (["--top", "0"], "--top must be positive"),
        (["--stride", "-1"], "--stride must be positive"),
        (["--max-unreadable-fraction", "2"], "--max-unreadable-fraction=2.0 has to be from 0 to 1"),
    ],
)
def test_options_have_to_make_sense(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path / "absent", tmp_path / "absent.ckpt", *options) == 2
    assert message in capsys.readouterr().err


def test_an_index_among_the_videos_is_refused(
    videos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "chop",
        "--in",
        str(videos),
        "--model",
        str(checkpoint),
        "--index",
        str(videos / "x"),
    ]
    assert tree.run("search", options) == 2
    assert "give another folder for it by --index DIR" in capsys.readouterr().err
    assert sorted(path.name for path in videos.iterdir()) == ["a.mp4", "b.mp4"]
