/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the fuzz targets share: libFuzzer's entry, which replay-main.c calls too, and a loop that is
 * run until nothing is left to do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* fuzz-calls alone: every procedure with edge values in each pair of places of its arguments, one
 * of `every` of them; prints how many and how fast. */
void fuzz_pairs(unsigned every);

/* Once: the event loop, fibers, logging off. Aborts when it cannot. */
void fuzz_loop_init(void);
/* The CPU time that this program has used, which is what it takes where nothing else runs: nothing
 * here sleeps. now_usec() is the loop's own time. */
uint64_t fuzz_cpu_usec(void);
/* Dispatches what is ready, without waiting. */
void fuzz_loop_idle(void);
/* Runs the loop until `done` says so, with a clock that goes to the next timer when nothing else is
 * to do. Aborts when there is no timer, or after five seconds of real time: something hangs. */
void fuzz_loop_until(bool (*done)(void *userdata), void *userdata, const char *what);
/* A connected pair of non-blocking stream sockets. */
void fuzz_socketpair(int fds[2]);
/* Sends all bytes in pieces of `chunk`, running the loop and throwing away answers in between;
 * stops early when the other side has closed. */
void fuzz_send(int fd, const uint8_t *data, size_t size, size_t chunk);
/* Reads and forgets what the other side wrote. */
void fuzz_drain(int fd);
