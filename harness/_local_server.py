"""The program behind `LocalModel`: llama.cpp's own server with one model file, until its standard input ends.

Run by its path and not as a module of the package, so that the process loads llama.cpp and nothing else. Arguments: the
model file and the name it answers to. The first and only line on standard output is the server's address.
"""

import os
import sys
from importlib import import_module
from typing import NoReturn

__all__ = ["serve"]

SLOTS = 4  # answers that are generated side by side
CONTEXT_TOKENS = 4096  # of each slot
ERRORS_ONLY = 1  # llama.cpp's levels: 1 errors, 2 warnings, 3 information


def serve(model_file: str, model_name: str) -> NoReturn:
    """Serve on 127.0.0.1 and a free port, and end this process when standard input ends.

    The starter holds the other end of that pipe, so it ends with the starter whichever way that one ends.
    """
    llama = import_module("xllamacpp")  # carries no types and is optional, so a plain import would fail the type check
    parameters = llama.CommonParams()
    parameters.model.path = model_file
    parameters.model_alias = {model_name}  # else every answer would carry the path of the file
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT_TOKENS
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = min(2, os.cpu_count() or 1)
    parameters.cache_ram_mib = 0  # a further cache of whole prompts, beside the slots', by default 8 GiB
    parameters.ui = False
    parameters.verbosity = ERRORS_ONLY
    server = llama.Server(parameters)  # returns once the model is loaded
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    os._exit(0)  # nothing to save, and no answer in the making may hold the process back


if __name__ == "__main__":
    serve(*sys.argv[1:])
