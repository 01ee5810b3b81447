from vtlearn.media.clips import ClipReader, VideoBytes
from vtlearn.media.video.reader import VideoReader


def test_a_decoder_is_a_reader() -> None:
    reader: ClipReader = VideoReader()
    assert callable(reader.clips)


def test_bytes_have_a_name() -> None:
    assert VideoBytes("00000.tar: a.mp4", b"").name == "00000.tar: a.mp4"
