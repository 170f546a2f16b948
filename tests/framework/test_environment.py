"""What a process sets before it trains."""

import ctypes
import resource

import pytest

from library.framework import environment

BLOCK = 64 * 2**20
"""Larger than all blocks that glibc keeps by itself."""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_a_block_of_memory_that_was_freed_is_used_again() -> None:
    environment.keep_freed_memory()
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    faults = []
    for _ in range(10):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        block = libc.malloc(BLOCK)
        libc.memset(block, 1, BLOCK)
        libc.free(block)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert sum(faults[1:]) < BLOCK / resource.getpagesize() / 2, "pages of half a block, in nine"
