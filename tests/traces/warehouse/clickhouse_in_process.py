"""The HTTP interface of a ClickHouse server, as far as it is asked, before ClickHouse in this process (chdb).

Run by the Python of an environment that has chdb: DDL and rows come as POST requests, as to a server. Prints its port.
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

from chdb.session import Session


class Handler(BaseHTTPRequestHandler):
    session = Session()

    def do_POST(self) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query))
        sql = self.rfile.read(int(self.headers["Content-Length"])).decode()
        parameters = {name.removeprefix("param_"): value for name, value in given.items() if name.startswith("param_")}
        try:
            self.session.query(f"USE {given['database']}") if given.get("database") else None
            answer, status = bytes(self.session.query(sql, "JSONEachRow", params=parameters or None).bytes()), 200
        except Exception as error:  # noqa: BLE001  whatever ClickHouse says, as the server would
            answer, status = str(error).encode(), 500
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)  # noqa: T201
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(0)
