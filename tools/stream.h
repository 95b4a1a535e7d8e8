/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams to and from files. */
#pragma once

#include "vireo.h"

/* Writes all; negative errno. */
int stream_write(int fd, const void *bytes, size_t n);
/* Receives to the stream's end into the file, which is made or emptied, and finishes the stream;
 * what comes as a hole becomes one. An error aborts it, and a file that was made for it goes away
 * again. */
int stream_to_path(RpcClientStream *stream, const char *path, Error **reterr);
/* Sends up to `length` bytes of the file (0: to its end) and finishes; with `sparse` its holes as
 * holes. An error aborts. */
int stream_from_file(RpcClientStream *stream, int fd, uint64_t length, bool sparse, Error **reterr);
