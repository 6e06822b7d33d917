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


def accepts(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """It serves the folder; the beginning of its URLs."""
    assert NGINX
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "file").write_text("x" * 1000)
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    with subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]) as server:
        try:
            give_up = time.monotonic() + 30
            while not accepts(port):
                assert server.poll() is None and time.monotonic() < give_up, (folder / "error.log").read_text()
                time.sleep(0.01)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
