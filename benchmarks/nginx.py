"""nginx as the canned provider: one answer, written by C. Without nginx our own canned server stands in for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.servers import free_port, process
from benchmarks.upstream import ANSWER

CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {folder}/client; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; default_type application/json; location / {{ return 200 '{answer}'; }} }}
}}
"""


@contextmanager
def canned(folder: str) -> Iterator[tuple[str, str]]:
    """The base URL of a canned provider, and what it is."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    port = free_port()
    if program is None:
        command = ["-m", "benchmarks.upstream", str(port)]
        with process(*command, port=port, path="/") as (url, _):
            yield url, "a canned server (nginx is not installed)"
        return
    config = Path(folder, "nginx.conf")
    config.write_text(CONFIG.format(folder=folder, port=port, answer=ANSWER.decode()))
    with process("-c", str(config), "-p", folder, program=program, port=port, path="/") as (url, _):
        yield url, "nginx"
