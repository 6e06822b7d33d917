"""A real nginx on a free port of this machine, as a child process."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=512;
        root {folder};
        location = /old {{ return 301 /file; }}
    }}
}}
"""


def start(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """One that listens, or has ended; its port."""
    assert NGINX
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    server = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    give_up = time.monotonic() + 30
    while server.poll() is None and not (folder / "pid").exists():  # which it writes once it listens
        if time.monotonic() > give_up:
            server.kill()
        time.sleep(0.01)
    return server, port


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """It serves the folder; the beginning of its URLs."""
    (folder / "file").write_text("x" * 1000)
    for _ in range(5):  # the port may have been taken in between
        server, port = start(folder)
        if server.poll() is None:
            break
    with server:
        try:
            assert server.poll() is None, "nginx ends at once; its stderr says why"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
