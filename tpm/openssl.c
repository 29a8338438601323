/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/openssl.h"

#include <errno.h>
#include <openssl/err.h>

int openssl_error(int error) {
        unsigned long code;

        while ((code = ERR_get_error()) != 0)
                if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
                        error = -ENOMEM;
        return error;
}
