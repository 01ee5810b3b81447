import json
import os
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any

import numpy as np

from tests.media.video.writing import write_video
from vtlearn.media.video import subprocess_reader, subprocess_worker
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.subprocess_worker import (
    ClipsRequest,
    ProbeRequest,
    SourceMarker,
    run_worker,
)


def test_answers_until_the_other_end_closes(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)  # which the main thread alone may do
    monkeypatch.setattr(subprocess_worker, "_leave_with", lambda _: None)  # or pytest might leave
    path = write_video(tmp_path / "a.mp4", range(0, 250, 5))
    ours, theirs = socket.socketpair()
    asked = (theirs.detach(), os.getppid(), 1e5, 1)  # a budget that ends pytest is not met
    server = threading.Thread(target=run_worker, args=asked)
    server.start()
    connection: Connection[Any, Any] = Connection(ours.detach())
    assert connection.recv() is None
    connection.send(ProbeRequest(path))
    assert connection.recv() == VideoReader().probe(path)
    times = np.array([[0.1, 0.5], [1.0, 1.4]])
    with (tmp_path / "memory").open("w+b") as memory:
        memory.truncate(4 * 3 * 8 * 8)
        connection.send(
            ClipsRequest(SourceMarker.SAME_SOURCE, times, 8, [None, (0, 0, 4, 4)], "edge")
        )
        send_handle(connection, memory.fileno(), os.getpid())
        assert connection.recv().tolist() == [[True, True], [True, True]]
        levels = np.frombuffer(memory.read(), np.uint8).reshape(4, -1).mean(1)
    np.testing.assert_allclose(levels, [10, 60, 125, 175], atol=2)
    connection.close()
    server.join(60)
    assert not server.is_alive()


def test_starts_without_torch(tmp_path: Path) -> None:
    boot, _, _ = subprocess_reader._BOOT.partition("run_worker(*")
    check = "print('torch' in sys.modules)"
    arguments = json.dumps({"path": sys.path, "packages": subprocess_reader._PACKAGES})
    done = subprocess.run(
        [sys.executable, "-c", boot + check, arguments],
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == b"False"
