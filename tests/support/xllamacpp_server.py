"""The package xllamacpp as if it were the program llama-server; see tests.support.llama_cpp.

Takes the options that are passed there, and serves until it is terminated.
"""

import argparse
import signal
import sys

_NUMBERS = {"batch-size": "n_batch", "ubatch-size": "n_ubatch", "cache-reuse": "n_cache_reuse"}
"""Options that are numbers, and their names in the package."""


def main() -> None:
    import xllamacpp
    from xllamacpp import ggml_type, llama_flash_attn_type

    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "alias", "host"):
        parser.add_argument(f"--{name}")
    for name in ("port", "parallel", "threads", "threads-batch", "ctx-size", *_NUMBERS):
        parser.add_argument(f"--{name}", type=int)
    for name in ("cache-type-k", "cache-type-v", "flash-attn"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--metrics", action="store_true")
    given = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.hostnames = [given.host]
    params.port = given.port
    params.n_parallel = given.parallel
    params.n_ctx = given.ctx_size
    params.endpoint_metrics = given.metrics
    if given.threads is not None:
        params.cpuparams.n_threads = given.threads
        params.cpuparams_batch.n_threads = given.threads_batch
    for option, name in _NUMBERS.items():
        value = getattr(given, option.replace("-", "_"))
        if value is not None:
            setattr(params, name, value)
    if given.cache_type_k:
        params.cache_type_k = getattr(ggml_type, f"GGML_TYPE_{given.cache_type_k.upper()}")
        params.cache_type_v = getattr(ggml_type, f"GGML_TYPE_{given.cache_type_v.upper()}")
    if given.flash_attn == "off":
        params.flash_attn_type = llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
