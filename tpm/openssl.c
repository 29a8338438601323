/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_METHOD */

#include "tpm/openssl.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <sys/random.h>

int openssl_error(int error) {
        unsigned long code;

        while ((code = ERR_get_error()) != 0)
                if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
                        error = -ENOMEM;
        return error;
}

static int get_random(unsigned char *p, int n) {
        return getrandom(p, (size_t) n, 0) == n;
}

static int is_seeded(void) {
        return 1; /* getrandom() waits for it */
}

void openssl_start(void) {
        static const RAND_METHOD kernel = {
                .bytes = get_random, .pseudorand = get_random, .status = is_seeded
        };

        /* At the end of a program there is nothing to clean up; OpenSSL 3.0 would leak there what it allocates for it. */
        (void) OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
                                        OPENSSL_INIT_NO_ATEXIT,
                        NULL);
        (void) RAND_set_rand_method(&kernel);
}
