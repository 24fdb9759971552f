"""An agent that is careless with secrets: it sends, shows and writes all that it finds in the folder where it works.

Each text that it passes on has a mark before its secret, so that who looks for the secret can tell that the text came through.
"""

import base64
import gzip
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

FOUND: dict[str, str] = json.loads(Path("found.json").read_text()) | json.loads(Path(os.environ["OUTSIDE"]).read_text())
URL = os.environ["OPENAI_BASE_URL"]
KEY = os.environ["OPENAI_API_KEY"]


def send(way: str, content: Any, query: str = "", **headers: str) -> str:
    """Ask the model, and give all that it answers, as text."""
    body = json.dumps({"model": way, "stream": way == "stream", "messages": [{"role": "user", "content": content}]})
    data = gzip.compress(body.encode()) if headers.get("Content-Encoding") == "gzip" else body.encode()
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}", **headers}
    request = urllib.request.Request(f"{URL}/chat/completions{query}", data, sent)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return str(answer.read())
    except urllib.error.HTTPError as error:
        return str(error.read())


def through_a_socket(text: str) -> None:
    """Say it through a WebSocket, and have it said back."""
    url = URL.replace("http", "ws", 1) + "/socket"
    with connect(url, proxy=None, additional_headers={"Authorization": f"Bearer {KEY}"}) as socket:
        socket.send(json.dumps({"type": "note", "text": text}))
        socket.recv()


def show(text: str) -> None:
    """Write to the terminal, in two pieces with a moment between them."""
    middle = len(text) * 2 // 3
    for piece in (text[:middle], text[middle:] + "\r\n"):
        os.write(1, piece.encode())
        time.sleep(0.05)


def colour(text: str) -> str:
    """The same with a colour that begins within its last word."""
    return f"{text[:-15]}\x1b[1;32m{text[-15:]}\x1b[0m"


def main() -> None:
    """Do all of it."""
    send("echo", FOUND["body"])
    send("echo", json.dumps({"tool": json.dumps({"output": FOUND["escaped twice"]})}))
    send("echo", FOUND["private key"])
    send("echo", f"curl 'http://host/?q={urllib.parse.quote(FOUND['percent-encoded'], safe='')}'")
    mark, secret = FOUND["base64"].split(" ", 1)
    send("echo", f"{mark} {base64.b64encode(('user:' + secret).encode()).decode()}")
    send("echo", FOUND["gzip"], **{"Content-Encoding": "gzip"})
    send(
        "echo",
        "a key of one's own",
        **{"X-Api-Key": FOUND["key header"].split()[1], "X-Note": FOUND["key header"].split()[0]},
    )
    send(
        "echo", "a cookie", **{"Cookie": f"session={FOUND['cookie'].split()[1]}", "X-Note": FOUND["cookie"].split()[0]}
    )
    mark, secret = FOUND["query"].split()
    send("echo", "a query", query=f"?note={mark}&token={urllib.parse.quote(secret, safe='')}")
    for way in ("stream", "chunks", "zstd", "refuse", "header", "upstream header"):
        send(way, "say it")
    through_a_socket(FOUND["socket"])
    show(FOUND["terminal"])
    show(colour(FOUND["coloured terminal"]))
    show(f"{FOUND['run key']} {KEY}")
    for name in ("written file", "environment", "argument of the agent"):
        Path(f"{name}.txt").write_text(FOUND.get(name, " ".join(sys.argv[1:])))
    Path(os.environ.get("KEY_FILE", os.devnull)).write_text(KEY)


main()
