"""``python -m tests.processor NAME COMMAND …``: run a command as on another processor.

Trained numbers differ in their last digits between processors, because the libraries choose other
instructions and add in another order. Here they are told to. NAME is one of `PROCESSORS`, or
``each`` for all of them in turn. For x86 alone: elsewhere nothing is to be told.
"""

from __future__ import annotations

import os
import subprocess
import sys

PROCESSORS = {
    "sse4": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "MKL_CBWR": "COMPATIBLE",
        "DNNL_MAX_CPU_ISA": "SSE41",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX2 FMA3",
    },
    "avx": {
        "OPENBLAS_CORETYPE": "Sandybridge",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "AVX",
        "DNNL_MAX_CPU_ISA": "AVX",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX2 FMA3",
    },
    "avx2": {
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "DNNL_MAX_CPU_ISA": "AVX2",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX",
    },
}
IN_FORCE = """
import numpy, threadpoolctl, torch
blas = {found.get("architecture") for found in threadpoolctl.threadpool_info()}
print(torch.backends.cpu.get_cpu_capability().lower(), *sorted(filter(None, blas)))
"""


def environment(name: str) -> dict[str, str]:
    """Return the environment in which the libraries take the instructions of that processor."""
    return {**os.environ, **PROCESSORS[name]}


def in_force(name: str) -> str:
    """Return which instructions PyTorch says it takes, and which processor OpenBLAS."""
    command = [sys.executable, "-c", IN_FORCE]
    return subprocess.run(
        command, env=environment(name), check=True, capture_output=True, text=True
    ).stdout.strip()


def main(arguments: list[str]) -> int:
    """Run the command under each processor that is named; return the first status that is not 0."""
    if len(arguments) < 2 or arguments[0] not in [*PROCESSORS, "each"]:
        print(f"python -m tests.processor {'|'.join(PROCESSORS)}|each COMMAND …", file=sys.stderr)
        return 2
    name, *command = arguments
    for one in PROCESSORS if name == "each" else [name]:
        found, wanted = in_force(one), PROCESSORS[one]
        if found != f"{wanted['ATEN_CPU_CAPABILITY']} {wanted['OPENBLAS_CORETYPE']}":
            print(f"{one} is not to be had here: {found}", file=sys.stderr)
            return 2
        print(f"==> as on a processor with {one}: {found}", flush=True)
        if status := subprocess.run(command, env=environment(one)).returncode:
            return status
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
