/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The library tpm/ on the command line, for the tests that need a TPM. KEY is a slot, or a persistent handle (0x81...);
 * where a NAME is asked for, @FILE is a certificate instead, in PEM.
 *
 *   tpm-tool TCTI find SLOT                    the type and fingerprint of the persistent key
 *   tpm-tool TCTI persist SLOT TYPE            makes the key and keeps it
 *   tpm-tool TCTI remove SLOT                  removes the persistent key
 *   tpm-tool TCTI show KEY TYPE                its type, and whether it can decrypt
 *   tpm-tool TCTI certificate KEY TYPE NAME    PEM to standard output
 *   tpm-tool TCTI request KEY TYPE NAME        PEM to standard output
 *   tpm-tool TCTI check KEY TYPE @FILE         whether the certificate is of this key
 *   tpm-tool TCTI decrypt KEY TYPE NAME        standard input to standard output
 *   tpm-tool TCTI store SLOT TYPE NAME         keeps the certificate in NV memory
 *   tpm-tool TCTI load SLOT                    from there to standard output
 *   tpm-tool TCTI discard SLOT                 removes it there
 *   tpm-tool TCTI index INDEX                  a certificate from any NV index
 *   tpm-tool TCTI residue SLOT TYPE            see there
 *
 * Exit status: 0, 65 when the file is refused, 75 when the TPM may do it later, 1 for other errors.
 */

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"
#include "base/text.h"
#include "tpm/certificate.h"
#include "tpm/key-cms.h"
#include "tpm/openssl.h"
#include "tpm/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>

#define REFUSED 1 /* and said so */

typedef struct Tool {
        Tpm *tpm;
        TpmKeySlot slot;
        uint32_t handle; /* instead of the slot, when not 0 */
        TpmKeyType type;
        const char *name;
} Tool;

/* The persistent copy of a slot's key of this type. */
static int find_type(Tool *tool, TpmKeyType type, TpmKey **ret) {
        _cleanup_tpm_key_ TpmKey *primary = NULL;
        const uint8_t *public;
        size_t n;
        int r;

        r = tpm_key_make(tool->tpm, tool->slot, type, &primary);
        if (r < 0)
                return r;
        public = tpm_key_get_public(primary, &n);
        return tpm_key_find(tool->tpm, tool->slot, public, n, ret);
}

static int open_key(Tool *tool, TpmKey **ret) {
        int r;

        if (tool->handle)
                return tpm_key_open_handle(tool->tpm, tool->handle, ret);
        r = find_type(tool, tool->type, ret);
        return r == -ENOENT ? tpm_key_make(tool->tpm, tool->slot, tool->type, ret) : r;
}

/* From the file that was named, or made. */
static int open_certificate(Tool *tool, TpmKey *key, Certificate **ret) {
        _cleanup_free_ char *pem = NULL;
        size_t size;
        int r;

        if (tool->name[0] != '@')
                return certificate_make(key, tool->name, ret);
        r = file_read(AT_FDCWD, tool->name + 1, 65536, &pem, &size);
        return r < 0 ? r : certificate_from_pem(pem, size, ret);
}

static int print_certificate(const Certificate *certificate) {
        _cleanup_free_ char *pem = NULL;
        int r;

        r = certificate_to_pem(certificate, &pem);
        if (r >= 0)
                fputs(pem, stdout);
        return r;
}

static int find(Tool *tool) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
        char text[CERTIFICATE_FINGERPRINT_TEXT];
        const uint8_t *public;
        int r = -ENOENT;
        size_t n;

        for (TpmKeyType type = 0; type < _TPM_KEY_TYPE_MAX && r == -ENOENT; type++)
                r = find_type(tool, type, &key);
        if (r < 0)
                return r;
        public = tpm_key_get_public(key, &n);
        r = certificate_fingerprint(public, n, fingerprint);
        if (r >= 0)
                printf("%s %s %s\n", tpm_key_slot_to_string(tpm_key_get_slot(key)),
                                tpm_key_type_to_string(tpm_key_get_type(key)),
                                certificate_format_fingerprint(text, fingerprint));
        return r;
}

static int persist(Tool *tool) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        int r;

        r = open_key(tool, &key);
        return r < 0 ? r : tpm_key_persist(key);
}

static int remove_key(Tool *tool) {
        return tpm_key_remove(tool->tpm, tool->slot);
}

static int certificate(Tool *tool) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        _cleanup_(certificate_freep) Certificate *made = NULL;
        int r;

        r = open_key(tool, &key);
        if (r >= 0)
                r = certificate_make(key, tool->name, &made);
        if (r >= 0)
                r = certificate_check_key(made, key);
        return r < 0 ? r : print_certificate(made);
}

static int show(Tool *tool) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        int r;

        r = open_key(tool, &key);
        if (r >= 0)
                printf("%s %s\n", tpm_key_type_to_string(tpm_key_get_type(key)),
                                tpm_key_get_refusal(key) ? tpm_key_get_refusal(key) : "can decrypt");
        return r;
}

static int check(Tool *tool) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        _cleanup_(certificate_freep) Certificate *opened = NULL;
        int r;

        r = open_key(tool, &key);
        if (r >= 0)
                r = open_certificate(tool, key, &opened);
        return r < 0 ? r : certificate_check_key(opened, key);
}

static int store(Tool *tool) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        _cleanup_(certificate_freep) Certificate *opened = NULL;
        int r;

        r = open_key(tool, &key);
        if (r >= 0)
                r = open_certificate(tool, key, &opened);
        return r < 0 ? r : certificate_store(tool->tpm, tool->slot, opened);
}

static int load(Tool *tool) {
        _cleanup_(certificate_freep) Certificate *loaded = NULL;
        int r;

        r = certificate_load(tool->tpm, tool->slot, &loaded);
        return r < 0 ? r : print_certificate(loaded);
}

static int discard(Tool *tool) {
        return certificate_discard(tool->tpm, tool->slot);
}

static int load_index(Tool *tool) {
        _cleanup_(certificate_freep) Certificate *loaded = NULL;
        int r;

        r = certificate_load_index(tool->tpm, tool->handle, &loaded);
        return r < 0 ? r : print_certificate(loaded);
}

static int request(Tool *tool) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        _cleanup_(X509_REQ_freep) X509_REQ *made = NULL;
        _cleanup_free_ char *pem = NULL;
        int r;

        r = open_key(tool, &key);
        if (r >= 0)
                r = certificate_make_request(key, tool->name, &made);
        if (r >= 0)
                r = certificate_request_to_pem(made, &pem);
        if (r >= 0)
                fputs(pem, stdout);
        return r;
}

static int write_content(int fd) {
        uint64_t size;
        void *data;
        int r;

        r = memfd_check_sealed(fd, &size);
        if (r < 0 || size == 0)
                return r;
        data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
                return -errno;
        r = file_write_all(STDOUT_FILENO, data, size);
        munmap(data, size);
        return r;
}

static int decrypt(Tool *tool) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        _cleanup_(certificate_freep) Certificate *opened = NULL;
        _cleanup_free_ char *data = NULL;
        _cleanup_close_ int fd = -1;
        char reason[ENVELOPE_REASON_MAX];
        Envelope envelope;
        CmsReport report;
        CmsKey cms;
        size_t size;
        int r;

        r = file_read(AT_FDCWD, "/dev/stdin", INT_MAX, &data, &size);
        if (r >= 0)
                r = open_key(tool, &key);
        if (r >= 0)
                r = open_certificate(tool, key, &opened);
        if (r < 0)
                return r;
        r = envelope_detect(data, size, &envelope, reason);
        if (r < 0) {
                fprintf(stderr, "refused: %s\n", reason);
                return REFUSED;
        }
        cms = tpm_key_to_cms(key, opened);
        r = cms_decrypt(&envelope, &cms, 1, 0, &fd, &report);
        if (r == -EAGAIN || r == -ENOMEM)
                return r;
        if (r < 0) {
                fprintf(stderr, "refused: %s\n%s\n", report.reason, report.detail);
                return REFUSED;
        }
        return write_content(fd);
}

#define MARKER_SIZE 32
#define MARKER_MASK 0x5a

/* How often the marker is in this process's memory. Only its masked form is known here. */
static size_t count_marker(const uint8_t *masked) {
        _cleanup_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
        char line[512];
        size_t n = 0;

        while (maps && fgets(line, sizeof(line), maps)) {
                unsigned long start, end;

                if (sscanf(line, "%lx-%lx rw", &start, &end) != 2 || !strstr(line, " rw"))
                        continue;
                for (const uint8_t *p = (const uint8_t *) start; p + MARKER_SIZE <= (const uint8_t *) end;
                                p++) {
                        size_t i = 0;

                        while (i < MARKER_SIZE && (p[i] ^ MARKER_MASK) == masked[i])
                                i++;
                        n += i == MARKER_SIZE;
                }
        }
        return n;
}

/*
 * Standard input: a marker, masked, and what the key's private operation turns into a block that ends with the marker.
 * Prints how often the marker is in memory while the block is, and after that was freed.
 */
static int residue(Tool *tool) {
        _cleanup_tpm_key_ TpmKey *key = NULL;
        _cleanup_secret_ Secret *block = NULL;
        _cleanup_free_ char *data = NULL;
        const uint8_t *masked, *input;
        size_t size;
        int r;

        r = file_read(AT_FDCWD, "/dev/stdin", 4096, &data, &size);
        if (r >= 0)
                r = open_key(tool, &key);
        if (r >= 0)
                r = secret_new(size, &block);
        if (r < 0)
                return r;
        masked = (const uint8_t *) data;
        input = masked + MARKER_SIZE;
        size -= MARKER_SIZE;
        r = strncmp(tpm_key_type_to_string(tpm_key_get_type(key)), "rsa", 3) == 0
                        ? tpm_key_decrypt_rsa(key, input, size, block->data)
                        : tpm_key_agree_ecdh(key, input, size, block->data);
        if (r < 0)
                return r;
        printf("%zu ", count_marker(masked));
        block = secret_free(block);
        printf("%zu\n", count_marker(masked));
        return 0;
}

static const struct {
        const char *name;
        int n_arguments;
        int (*run)(Tool *tool);
} commands[] = {
        { "find", 1, find },
        { "persist", 2, persist },
        { "remove", 1, remove_key },
        { "show", 2, show },
        { "certificate", 3, certificate },
        { "request", 3, request },
        { "check", 3, check },
        { "decrypt", 3, decrypt },
        { "store", 3, store },
        { "load", 1, load },
        { "discard", 1, discard },
        { "index", 1, load_index },
        { "residue", 2, residue },
};

static int run(int argc, char **argv) {
        char reason[TPM_REASON_MAX] = "";
        _cleanup_tpm_ Tpm *tpm = NULL;
        Tool tool = {};
        int r;

        if (argc < 4)
                return -EINVAL;
        if (argv[3][0] == '0')
                tool.handle = (uint32_t) strtoul(argv[3], NULL, 16);
        else if (tpm_key_slot_from_string(argv[3], &tool.slot) < 0)
                return -EINVAL;
        if (argc > 4 && tpm_key_type_from_string(argv[4], &tool.type) < 0)
                return -EINVAL;
        if (argc > 5)
                tool.name = argv[5];

        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (strcmp(argv[2], commands[i].name) == 0 && argc == 3 + commands[i].n_arguments) {
                        r = tpm_open(argv[1], &tpm, reason);
                        tool.tpm = tpm;
                        if (r >= 0)
                                r = commands[i].run(&tool);
                        if (r < 0)
                                fprintf(stderr, "%s: %s\n", strerror(-r), tpm ? tpm_reason(tpm) : reason);
                        return r;
                }
        return -EINVAL;
}

int main(int argc, char **argv) {
        int r = run(argc, argv);

        return r == REFUSED                            ? EX_DATAERR
                        : r >= 0                       ? EXIT_SUCCESS
                        : r == -EAGAIN || r == -ENODEV ? EX_TEMPFAIL
                                                       : EXIT_FAILURE;
}
