"""The pages in a browser: Chromium without a window, by Playwright, where both are installed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pytest
import torch

from vtlearn.kitchen.writer import write_video
from vtlearn.pages import PageCaption, PageHit, alignment_page, search_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

SECONDS = 8
DESK: "ViewportSize" = {"width": 1280, "height": 900}
SCRIPT = "</script><script>document.title = 'hacked'</script><!-- <b>bold</b>"
CAPTIONS = [
    PageCaption("chop the carrot", 0.0, 1.0, 2.0, 3.0, True, 0.75, (2.0, 4.0)),
    PageCaption(SCRIPT, 2.0, 3.0, 4.0, 5.0, True, 0.5),
    PageCaption("thank you for watching", 6.0, 7.0, 6.0, 7.0, False, float("nan")),
]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the pages are not tried in a browser: no playwright"
    )
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip("the pages are not tried in a browser: no Chromium (apt-get install chromium)")
    # Chromium has no sandbox for root, who runs tests in containers
    arguments = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of which the browser plays one, and their pages."""
    folder: Path = tmp_path_factory.mktemp("pages")
    frames = [np.full((32, 32, 3), 2 * number, np.uint8) for number in range(8 * SECONDS)]
    for suffix in ("mp4", "avi"):
        video = folder / "videos" / f"a #1.{suffix}"
        video.parent.mkdir(exist_ok=True)
        write_video(video, frames, size=32, fps=8)
        write(folder / f"{suffix}.html", video, embed_video=suffix == "mp4")
    video = folder / "videos" / "a #1.mp4"
    write(folder / "linked.html", video, embed_video=False)
    hits = [PageHit(video, start, start + 0.5, 0.5) for start in (2.0, 5.0)]
    hits.append(PageHit(folder / "absent.mp4", 0.0, 1.0, 0.1))
    text = search_page(SCRIPT, hits, folder=folder, title=SCRIPT)
    (folder / "search.html").write_text(text, encoding="utf-8")
    return folder


def write(page: Path, video: Path, *, embed_video: bool) -> None:
    starts = torch.arange(SECONDS, dtype=torch.float64)
    cost = torch.rand(SECONDS, len(CAPTIONS), generator=torch.Generator().manual_seed(0))
    path = torch.tensor([[0, 0], [1, 0], [2, 0], [3, 1], [4, 1], [5, 2], [6, 2], [7, 2], [-1, -1]])
    text = alignment_page(
        video,
        CAPTIONS,
        torch.stack([starts, starts + 2], 1),
        cost,
        cost.softmax(1),
        path,
        title=SCRIPT,
        embed_video=embed_video,
        folder=page.parent,
    )
    page.write_text(text, encoding="utf-8")


class Opened(NamedTuple):
    """A page, what its console says, and what it asks for."""

    page: "Page"
    said: list[str]
    requests: list[str]

    def wait(self, condition: str) -> None:
        """Wait until a condition holds; the page's policy forbids Playwright's own way."""
        for _ in range(600):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"{condition} does not come true; the console says {self.said}")

    def time(self) -> float:
        return float(self.page.evaluate("player.time"))

    def seek(self, seconds: float) -> None:
        self.page.evaluate("document.activeElement.blur(); player.video.pause()")
        self.page.evaluate(f"player.seek({seconds})")
        self.settle()

    def settle(self) -> None:
        self.wait("player.broken || (player.video.readyState >= 2 && !player.video.seeking)")


def opened(browser: "Browser", path: Path, **options: Any) -> Opened:
    page = browser.new_page(**options)
    said: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    return Opened(page, said, requests)


@pytest.fixture(scope="module")
def shown(browser: "Browser", folder: Path) -> Opened:
    shown = opened(browser, folder / "mp4.html", viewport=DESK)
    shown.settle()
    return shown


@pytest.fixture
def alignment(shown: Opened) -> Opened:
    """The page with its video, as if nothing had been done yet."""
    shown.seek(0)
    return shown


def test_it_loads_and_asks_for_nothing_but_itself(alignment: Opened, folder: Path) -> None:
    alignment.page.get_by_label("expected alignment").check()
    alignment.page.get_by_label("cost").check()
    for box in alignment.page.locator("#marks input").all():
        box.uncheck()
        box.check()
    assert alignment.said == []
    own, *others = alignment.requests
    assert own == (folder / "mp4.html").as_uri()
    assert [address for address in others if not address.startswith("blob:")] == []
    assert alignment.page.evaluate("player.video.videoWidth") == 32
    assert "middle within the truth: 1 of 1, as spoken 0 of 1" in alignment.page.inner_text(
        "#facts"
    )


def test_scripts_in_captions_and_titles_stay_text(alignment: Opened) -> None:
    assert alignment.page.title() == SCRIPT
    assert alignment.page.locator("#title").text_content() == SCRIPT
    assert alignment.page.locator(".caption .words").nth(1).text_content() == SCRIPT
    alignment.seek(4.5)
    assert alignment.page.locator("#now").text_content() == SCRIPT
    assert alignment.page.locator("main b").count() == 0


def test_a_click_on_a_caption_seeks(alignment: Opened) -> None:
    alignment.page.locator(".caption").nth(1).click()
    alignment.settle()
    assert alignment.time() == 4.0
    assert alignment.page.locator(".caption[aria-selected=true]").count() == 1
    assert alignment.page.locator(".caption").nth(1).get_attribute("aria-current") == "true"


def test_a_click_on_a_cell_seeks(alignment: Opened) -> None:
    x = alignment.page.evaluate("matrix.x(6.1)")
    y = alignment.page.evaluate("2.5 * matrix.height")
    alignment.page.locator("#matrix").click(position={"x": x, "y": y})
    alignment.settle()
    assert alignment.time() == 6.0  # the middle of the window from 5 to 7
    assert alignment.page.locator(".caption").nth(2).get_attribute("aria-selected") == "true"
    readout = alignment.page.inner_text("#readout")
    assert readout.startswith("0:05.0 to 0:07.0, caption 3 “thank you for watching”: cost 0.")


def test_the_cursor_follows(alignment: Opened) -> None:
    for seconds in (3.0, 5.0):
        alignment.seek(seconds)
        x = alignment.page.evaluate("new DOMMatrix(getComputedStyle(byId('cursor')).transform).e")
        assert x == pytest.approx(alignment.page.evaluate(f"matrix.x({seconds}) - 1"), abs=0.1)


@pytest.mark.parametrize("focused", ["document.body", "player.video"])
def test_keys_move_and_play(alignment: Opened, focused: str) -> None:
    """The browser's own controls have keys as well, which would come on top."""
    keys = alignment.page.keyboard
    alignment.page.evaluate(f"{focused}.focus()")
    keys.press("ArrowRight")  # from 0 s, in the window around 1 s
    alignment.settle()
    assert alignment.time() == 2.0
    keys.press("ArrowLeft")
    alignment.settle()
    assert alignment.time() == 1.0
    keys.press("Space")
    alignment.wait("!player.video.paused && player.time > 1.05")
    keys.press("Space")
    alignment.wait("player.video.paused")


def test_keys_move_in_the_transcript(alignment: Opened) -> None:
    keys = alignment.page.keyboard
    alignment.page.locator(".caption").first.click()
    keys.press("ArrowDown")
    alignment.settle()
    assert alignment.time() == 4.0
    focused = "[...document.querySelectorAll('.caption')].indexOf(document.activeElement)"
    assert alignment.page.evaluate(focused) == 1
    keys.press("End")
    alignment.settle()
    assert alignment.time() == 6.0
    keys.press("Space")  # plays here too, and chooses nothing
    alignment.wait("!player.video.paused && player.time > 6")
    keys.press("Space")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert alignment.page.evaluate(outline) == "solid"


def test_keys_move_in_the_matrix(alignment: Opened) -> None:
    alignment.page.evaluate("matrix.select(0, 0); byId('matrix').focus()")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        alignment.page.keyboard.press(key)
    alignment.settle()
    assert alignment.page.evaluate("matrix.chosen") == [2, 1]
    assert alignment.time() == 3.0
    assert "caption 2" in alignment.page.inner_text("#announcement")


def test_what_can_be_reached_has_a_name(alignment: Opened) -> None:
    tree = alignment.page.locator("body").aria_snapshot()
    assert '- listbox "Transcript"' in tree
    assert '- application "8 windows and 3 captions"' in tree
    assert '- radio "cost" [checked]' in tree
    assert '- checkbox "hard path" [checked]' in tree


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_does_not_scroll_sideways(
    alignment: Opened, scheme: Literal["light", "dark"]
) -> None:
    alignment.page.set_viewport_size({"width": 400, "height": 800})
    alignment.page.emulate_media(color_scheme=scheme)
    alignment.wait("matrix.width < 400")
    assert alignment.page.evaluate("document.documentElement.scrollWidth") == 400
    assert alignment.page.evaluate("matrix.canvas.getBoundingClientRect().width") < 400
    ground, text = alignment.page.evaluate(
        "['backgroundColor', 'color'].map("
        "(name) => Number(getComputedStyle(document.body)[name].match(/\\d+/)[0]))"
    )
    assert (ground < text) == (scheme == "dark")
    alignment.page.set_viewport_size(DESK)
    alignment.wait("matrix.width > 1000")


def test_a_video_that_cannot_be_played_is_told_and_the_cursor_moves(
    browser: "Browser", folder: Path
) -> None:
    page = opened(browser, folder / "avi.html")
    page.wait("player.broken")
    notice = page.page.inner_text("#notice")
    assert "a #1.avi has to stay where it is" in notice
    assert "cannot play a #1.avi (video/x-msvideo), or does not find it" in notice
    page.page.locator(".caption").nth(1).click()
    assert page.time() == 4.0
    assert page.page.locator("#now").text_content() == SCRIPT
    page.page.close()


def test_a_linked_video_plays_from_its_file_and_nothing_else_can_be_asked_for(
    browser: "Browser", folder: Path
) -> None:
    page = opened(browser, folder / "linked.html")
    page.settle()
    page.page.locator(".caption").first.click()
    page.settle()
    assert page.time() == 2.0
    assert page.page.inner_text("#notice").startswith("The video is not within this page")
    assert page.said == []
    refused = page.page.evaluate(
        "new Promise((resolve) => {"
        "const tell = (event) => resolve(event.blockedURI);"
        "document.addEventListener('securitypolicyviolation', tell);"
        "fetch('http://127.0.0.1:9/').catch(() => {}); })"
    )
    assert refused == "http://127.0.0.1:9/"
    page.page.close()


@pytest.mark.slow
@pytest.mark.parametrize(("windows", "captions"), [(0, 0), (2, 0), (0, 1), (1, 1)])
def test_pages_of_nearly_nothing(
    browser: "Browser", folder: Path, windows: int, captions: int, tmp_path: Path
) -> None:
    starts = torch.arange(windows, dtype=torch.float64)
    nothing = torch.full((windows, captions), float("nan"))
    spans = torch.stack([starts, starts + 2], 1)
    video = folder / "videos" / "a #1.mp4"
    html = alignment_page(video, CAPTIONS[:captions], spans, nothing, None, None, title="")
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page = opened(browser, tmp_path / "page.html")
    page.settle()
    for focused in ("document.body", "byId('matrix')"):
        page.page.evaluate(f"{focused}.focus()")
        for key in ("ArrowRight", "ArrowDown", "Enter"):
            page.page.keyboard.press(key)
    page.page.locator("#matrix").click(position={"x": 100, "y": 5})
    assert page.said == []
    page.page.close()


def test_clips_of_a_search_play_from_their_first_second_to_their_last(
    browser: "Browser", folder: Path
) -> None:
    page = opened(browser, folder / "search.html")
    assert page.page.title() == page.page.inner_text("#title") == SCRIPT
    page.wait("document.querySelectorAll('video')[1].currentTime === 5")
    page.wait("document.querySelectorAll('video')[2].error !== null")
    cards = page.page.locator("#hits li").all_inner_texts()
    assert "a #1.mp4" in cards[0]
    assert "0:02.0 to 0:02.5" in cards[0]
    assert "score 0.500" in cards[0]
    assert "cannot play the video, or does not find it" in cards[2]
    page.page.set_viewport_size({"width": 400, "height": 800})
    assert page.page.evaluate("document.documentElement.scrollWidth") == 400
    page.page.evaluate(
        "globalThis.first = document.querySelector('video'); first.muted = true; first.play()"
    )
    page.wait("first.paused && first.currentTime >= 2.4")
    assert page.page.evaluate("first.currentTime") < 4
    page.page.close()
