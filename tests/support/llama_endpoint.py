"""llama.cpp's own OpenAI-compatible server, in a process of its own: python -m tests.support.llama_endpoint MODEL.gguf

Prints its address, and serves until its standard input is closed.
"""

import sys

import xllamacpp


def main(model: str) -> None:
    """Load the model, print the server's address, and wait."""
    settings = xllamacpp.CommonParams()
    settings.model.path = model
    settings.n_parallel = 2
    settings.n_gpu_layers = 0
    settings.cpuparams.n_threads = 1
    settings.warmup = False
    settings.n_ctx = 2048
    server = xllamacpp.Server(settings)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
