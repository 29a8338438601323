/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stands in for libFuzzer in a normal build: runs the fuzzer on every file of the folders named, and on every prefix
 * of it. No file at all is a failure: a corpus that has gone missing must not pass for a clean one.
 */

#include "base/cleanup.h"
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1024 * 1024)
#define PREFIXES_MAX 4096

static void run(const char *data, size_t size) {
        /* A copy of exactly this size on the heap, so that AddressSanitizer sees a read past its end. */
        _cleanup_free_ uint8_t *copy = malloc(size ? size : 1);

        if (!copy)
                abort();
        if (size > 0)
                memcpy(copy, data, size);
        LLVMFuzzerTestOneInput(copy, size);
}

static int replay(int fd_directory, const char *name) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = file_read(fd_directory, name, INPUT_MAX, &data, &size);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", name, strerror(-r));
                return r;
        }
        for (size_t n = 0; n < MIN(size, (size_t) PREFIXES_MAX); n++)
                run(data, n);
        run(data, size);
        return 0;
}

int main(int argc, char **argv) {
        unsigned n_files = 0;

        for (int i = 1; i < argc; i++) {
                DIR *directory = opendir(argv[i]);
                struct dirent *entry;

                if (!directory) {
                        perror(argv[i]);
                        return EXIT_FAILURE;
                }
                while ((entry = readdir(directory))) {
                        if (entry->d_name[0] == '.')
                                continue;
                        if (replay(dirfd(directory), entry->d_name) < 0)
                                return EXIT_FAILURE;
                        n_files++;
                }
                closedir(directory);
        }

        printf("%u files replayed\n", n_files);
        return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
