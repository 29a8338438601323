/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The reader against OpenSSL's CMS_decrypt(), with the same keys in software. Whatever we accept OpenSSL decrypts to the
 * same bytes, but for what it does not know:
 *
 *   - AES-CCM, and AuthEnvelopedData with authenticated attributes (OpenSSL 3.0 leaves them out of the tag)
 *
 * What OpenSSL accepts and we refuse is one of these:
 *
 *   -EBADMSG      something follows, a wrong version, primitive for constructed, an element where there should be none, a
 *                 hybrid point, parameters that do not belong to an algorithm, an encrypted key of another length
 *   -EOPNOTSUPP   ciphers, digests, tags, nonces, content types and ways to wrap a key that are not on our list
 *   -E2BIG        a limit
 *   -EKEYREJECTED authenticated attributes again: OpenSSL does not notice when they were changed
 *
 * CMS_DEBUG_DECRYPT keeps it from going on with a random key.
 */

#include "base/cleanup.h"
#include "base/memfd.h"
#include "tests/ber-mutator.h"
#include "tests/software-key.h"
#include "tpm/base64.h"
#include "tpm/cms-outline.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

DEFINE_CLEANUP(CMS_ContentInfo, CMS_ContentInfo_free)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static SoftwareKey keys[_SOFTWARE_KEY_TYPE_MAX];

static void must(bool ok, const char *what, const CmsReport *report) {
        if (!ok) {
                fprintf(stderr, "%s: %s (%s)\n", what, report->reason, report->detail);
                abort();
        }
}

/* What OpenSSL makes of it with the key; NULL when it refuses. */
static BIO *decrypt_openssl(const uint8_t *data, size_t size, const SoftwareKey *key) {
        const unsigned char *p = data;
        _cleanup_(CMS_ContentInfo_freep) CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long) size);
        BIO *out;

        if (cms) {
                out = BIO_new(BIO_s_mem());
                if (CMS_decrypt(cms, key->key, key->certificate, NULL, out,
                                    CMS_BINARY | CMS_DEBUG_DECRYPT) == 1)
                        return out;
                BIO_free(out);
        }
        ERR_clear_error();
        return NULL;
}

static bool content_is(int fd, BIO *bio) {
        uint64_t size;
        char *expected;
        long n = BIO_get_mem_data(bio, &expected);
        void *data;
        bool same;

        if (memfd_check_sealed(fd, &size) < 0 || size != (uint64_t) n)
                return false;
        if (n == 0)
                return true;
        data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        same = data != MAP_FAILED && memcmp(data, expected, size) == 0;
        munmap(data, size);
        return same;
}

/* Returns whether the reader accepts it. */
static bool compare_key(const uint8_t *data, size_t size, const SoftwareKey *key) {
        const Envelope envelope = { .kind = ENVELOPE_DER, .body = CURSOR(data, size) };
        _cleanup_(BIO_free_allp) BIO *theirs = decrypt_openssl(data, size, key);
        _cleanup_close_ int ours = -1;
        CmsOutline outline;
        CmsReport report, unused;
        bool attributes;
        int r;

        r = cms_decrypt(&envelope, &key->cms, 1, CMS_LEGACY_CIPHERS, &ours, &report);
        attributes = cms_outline_parse(CURSOR(data, size), &outline, &unused) >= 0 &&
                        outline.attributes.left > 0 && outline.authenticated;
        if (r >= 0 && !attributes && !strstr(report.cipher, "CCM"))
                must(theirs && content_is(ours, theirs), "OpenSSL does not agree", &report);
        if (r < 0 && theirs)
                must(r == -EBADMSG || r == -EOPNOTSUPP || r == -E2BIG || (r == -EKEYREJECTED && attributes),
                                "OpenSSL accepts it", &report);
        return r >= 0;
}

/* With each key by itself, and with all of them: then the first key that is named decides. */
static void compare(const uint8_t *data, size_t size) {
        const Envelope envelope = { .kind = ENVELOPE_DER, .body = CURSOR(data, size) };
        bool accepted[ELEMENTSOF(keys)];
        _cleanup_close_ int fd = -1;
        CmsKey cms[ELEMENTSOF(keys)];
        CmsReport report;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                accepted[i] = compare_key(data, size, &keys[i]);
                cms[i] = keys[i].cms;
        }
        if (cms_decrypt(&envelope, cms, ELEMENTSOF(cms), CMS_LEGACY_CIPHERS, &fd, &report) >= 0)
                must(accepted[report.key], "accepted with all keys, but not with the one that was used",
                                &report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ uint8_t *decoded = NULL;
        char reason[ENVELOPE_REASON_MAX];
        Envelope envelope;
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(keys) && !keys[i].key; i++)
                if (software_key_open((SoftwareKeyType) i, "SN19842256", &keys[i]) < 0)
                        abort();
        if (envelope_detect(data, size, &envelope, reason) < 0 || envelope.kind == ENVELOPE_PLAIN)
                return 0;
        if (!envelope.base64) {
                compare(envelope.body.p, envelope.body.left);
                return 0;
        }
        decoded = malloc(BASE64_DECODED_MAX(envelope.body.left) + 1);
        if (!decoded)
                abort();
        if (base64_decode(envelope.body, decoded, &n) >= 0)
                compare(decoded, n);
        return 0;
}
