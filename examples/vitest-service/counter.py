"""Counts POST requests. What was answered is on the disk."""

import http.server
import os

PATH = "/var/lib/counter"


class Counter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(count())

    def do_POST(self):
        journal = os.open(PATH, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(journal, b"x")
        os.close(journal)
        # The disk of a test's machine has no journal: only a whole sync is sure to find its way.
        os.sync()
        self.answer(count())

    def answer(self, number):
        body = b"%d\n" % number
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def count():
    return os.path.getsize(PATH) if os.path.exists(PATH) else 0


http.server.ThreadingHTTPServer(("", 8080), Counter).serve_forever()
