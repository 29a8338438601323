/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/openssl.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

int openssl_error(int error) {
        unsigned long code;

        while ((code = ERR_get_error()) != 0)
                if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
                        error = -ENOMEM;
        return error;
}

void openssl_start(void) {
        /* At the end of a program there is nothing to clean up; OpenSSL 3.0 would leak there what it allocates for it. */
        (void) OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
                                        OPENSSL_INIT_NO_ATEXIT,
                        NULL);
}
