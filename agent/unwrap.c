/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwrap.h"

#include "agent/keyring.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "base/time.h"
#include "tpm/cms.h"
#include "tpm/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>

struct Unwrapper {
        const Config *config;
        Certificate *certificates[_KEYRING_SLOT_MAX];
        Tpm *tpm;
        TpmKey *prepared; /* or NULL */
        KeyringSlot prepared_slot;
        bool stale;           /* the certificate is of another key than the TPM's */
        Allowance *allowance; /* or NULL: there is no limit */
        uint64_t opened; /* boottime: when a key had been used for content that is not authenticated; else 0 */
        CmsReport cms;
        char reason[TPM_REASON_MAX];
};

typedef struct UnwrapperKey {
        Unwrapper *unwrapper;
        KeyringSlot slot;
} UnwrapperKey;

int unwrapper_new(Unwrapper **ret, const Config *config) {
        Unwrapper *unwrapper = calloc(1, sizeof(*unwrapper));

        if (!unwrapper)
                return -ENOMEM;
        unwrapper->config = config;
        *ret = unwrapper;
        return 0;
}

Unwrapper *unwrapper_free(Unwrapper *unwrapper) {
        if (unwrapper) {
                for (size_t i = 0; i < ELEMENTSOF(unwrapper->certificates); i++)
                        certificate_free(unwrapper->certificates[i]);
                tpm_key_free(unwrapper->prepared);
                tpm_free(unwrapper->tpm);
                free(unwrapper);
        }
        return NULL;
}

void unwrapper_set_allowance(Unwrapper *unwrapper, Allowance *allowance) {
        unwrapper->allowance = allowance;
}

/* The longest time between two attempts of the schedule. */
static uint64_t longest_interval(const Config *config) {
        return MAX(config->retry.interval_usec, config->retry.later_interval_usec);
}

/* Before the key is used, so that a crash cannot avoid the count. */
static void count_opening(Unwrapper *unwrapper) {
        if (unwrapper->allowance && !unwrapper->cms.authenticated)
                allowance_take(unwrapper->allowance, longest_interval(unwrapper->config),
                                time_now_boottime());
}

/* A failure of the TPM does not depend on the plaintext, so it gives the count back. */
static void on_key_used(Unwrapper *unwrapper, int error) {
        if (unwrapper->cms.authenticated)
                return;
        if (error < 0 && unwrapper->allowance)
                allowance_give_back(unwrapper->allowance, longest_interval(unwrapper->config));
        if (error >= 0)
                unwrapper->opened = time_now_boottime();
}

static int open_tpm(Unwrapper *unwrapper) {
        return unwrapper->tpm ? 0 : tpm_open(unwrapper->config->tcti, &unwrapper->tpm, unwrapper->reason);
}

static int load_certificate(Unwrapper *unwrapper, KeyringSlot slot) {
        return unwrapper->certificates[slot]
                        ? 0
                        : keyring_load(unwrapper->config, slot, &unwrapper->tpm, unwrapper->reason,
                                          &unwrapper->certificates[slot]);
}

void unwrapper_prepare(Unwrapper *unwrapper) {
        KeyringSlot slot = 0;

        while (slot < _KEYRING_SLOT_MAX && load_certificate(unwrapper, slot) < 0)
                slot++;
        if (slot == _KEYRING_SLOT_MAX || open_tpm(unwrapper) < 0 ||
                        keyring_find(unwrapper->config, slot, unwrapper->tpm, unwrapper->certificates[slot],
                                        unwrapper->reason, &unwrapper->prepared) < 0)
                return;
        unwrapper->prepared_slot = slot;
        (void) tpm_key_prepare(unwrapper->prepared);
}

static int open_key(const UnwrapperKey *slot, TpmKey **ret) {
        Unwrapper *unwrapper = slot->unwrapper;
        int r;

        if (unwrapper->prepared && unwrapper->prepared_slot == slot->slot) {
                *ret = TAKE_PTR(unwrapper->prepared);
                return 0;
        }
        r = open_tpm(unwrapper);
        if (r < 0)
                return r;
        r = keyring_open(unwrapper->config, slot->slot, unwrapper->tpm, unwrapper->certificates[slot->slot],
                        unwrapper->reason, ret);
        unwrapper->stale = r == -ESTALE;
        return r;
}

static int decrypt_rsa(void *userdata, const uint8_t *cipher, size_t n, uint8_t *ret_block) {
        const UnwrapperKey *slot = userdata;
        _cleanup_tpm_key_ TpmKey *key = NULL;
        int r;

        r = open_key(slot, &key);
        if (r < 0)
                return r;
        count_opening(slot->unwrapper);
        r = tpm_key_decrypt_rsa(key, cipher, n, ret_block);
        on_key_used(slot->unwrapper, r);
        if (r < 0)
                snprintf(slot->unwrapper->reason, TPM_REASON_MAX, "%s", tpm_key_reason(key));
        return r;
}

static int agree_ecdh(void *userdata, const uint8_t *point, size_t n_point, uint8_t *ret_z) {
        const UnwrapperKey *slot = userdata;
        _cleanup_tpm_key_ TpmKey *key = NULL;
        int r;

        r = open_key(slot, &key);
        if (r < 0)
                return r;
        count_opening(slot->unwrapper);
        r = tpm_key_agree_ecdh(key, point, n_point, ret_z);
        on_key_used(slot->unwrapper, r);
        if (r < 0)
                snprintf(slot->unwrapper->reason, TPM_REASON_MAX, "%s", tpm_key_reason(key));
        return r;
}

static const char *key_reason(void *userdata) {
        const UnwrapperKey *slot = userdata;

        return slot->unwrapper->reason;
}

/* How many keys there are. Where there is none for want of a certificate that can be read: negative errno, with a reason. */
static int load_keys(Unwrapper *unwrapper, UnwrapperKey slots[static _KEYRING_SLOT_MAX],
                CmsKey ret[static _KEYRING_SLOT_MAX]) {
        int n = 0, error = 0;

        for (KeyringSlot slot = 0; slot < _KEYRING_SLOT_MAX; slot++) {
                int r;

                r = load_certificate(unwrapper, slot);
                if (r < 0) {
                        error = r == -ENOENT ? error : r;
                        continue;
                }
                slots[n] = (UnwrapperKey){ .unwrapper = unwrapper, .slot = slot };
                ret[n] = (CmsKey){
                        .certificate = unwrapper->certificates[slot],
                        .decrypt_rsa = decrypt_rsa,
                        .agree_ecdh = agree_ecdh,
                        .reason = key_reason,
                        .userdata = &slots[n],
                };
                n++;
        }
        return n > 0 ? n : error;
}

static void set_fingerprint(const Certificate *certificate, UnwrapReport *report) {
        uint8_t fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
        size_t n;
        const uint8_t *public = certificate_get_public(certificate, &n);

        if (certificate_fingerprint(public, n, fingerprint) >= 0)
                text_hex(report->key_fingerprint, fingerprint, sizeof(fingerprint));
}

/* Why content that is not authenticated is not opened at all. */
static Verdict refuse_unauthenticated(const Unwrapper *unwrapper, uint64_t wait, UnwrapReport *report) {
        char span[TIME_SPAN_MAX];

        if (unwrapper->config->authenticated_only) {
                snprintf(report->reason, sizeof(report->reason),
                                "%s, and AuthenticatedOnly=yes is set; use -aes-256-gcm (openssl cms -encrypt)",
                                unwrapper->cms.reason);
                return VERDICT_UNSUPPORTED;
        }
        snprintf(report->reason, sizeof(report->reason),
                        "%s, and %u such files have failed; the device opens the next one in %s; files encrypted "
                        "with -aes-256-gcm (openssl cms -encrypt) have no such limit",
                        unwrapper->cms.reason, ALLOWANCE_BURST,
                        time_format_span(span, sizeof(span), (wait / USEC_PER_SEC + 1) * USEC_PER_SEC));
        return VERDICT_TOO_SOON;
}

static Verdict verdict_of(int error) {
        switch (error) {
        case -EBADMSG:
                return VERDICT_MALFORMED;
        case -E2BIG:
                return VERDICT_TOO_LARGE;
        case -ENOKEY:
                return VERDICT_OTHER_DEVICE;
        case -EOPNOTSUPP:
        case -EPERM: /* triple DES */
                return VERDICT_UNSUPPORTED;
        case -EKEYREJECTED:
                return VERDICT_UNDECIPHERABLE;
        case -ENODATA:
                return VERDICT_EMPTY;
        case -EAGAIN:
                return VERDICT_TPM_UNAVAILABLE;
        default: /* of the system */
                return VERDICT_UNAVAILABLE;
        }
}

static Verdict decrypt(Unwrapper *unwrapper, const Envelope *envelope, int *ret_fd, UnwrapReport *report) {
        const Config *config = unwrapper->config;
        UnwrapperKey slots[_KEYRING_SLOT_MAX];
        CmsKey keys[_KEYRING_SLOT_MAX];
        CmsReport *cms = &unwrapper->cms;
        uint64_t wait = 0;
        CmsFlags flags;
        int n, r;

        report->encrypted = true;
        n = load_keys(unwrapper, slots, keys);
        if (n <= 0) {
                snprintf(report->reason, sizeof(report->reason), "%s",
                                n < 0 ? unwrapper->reason
                                      : "encrypted, but this device has no key yet; `sdictl key create` makes one");
                return n == -EAGAIN || n == -ENODEV ? VERDICT_TPM_UNAVAILABLE : VERDICT_NO_KEY;
        }

        if (unwrapper->allowance)
                wait = allowance_get_wait(
                                unwrapper->allowance, longest_interval(config), time_now_boottime());
        flags = (config->legacy_ciphers ? CMS_LEGACY_CIPHERS : 0) |
                        (config->authenticated_only || wait > 0 ? CMS_AUTHENTICATED_ONLY : 0) |
                        (unwrapper->allowance ? CMS_KEEP_REJECTED : 0);
        r = cms_decrypt(envelope, keys, (size_t) n, flags, ret_fd, cms);
        if (r == -EACCES)
                return refuse_unauthenticated(unwrapper, wait, report);
        snprintf(report->reason, sizeof(report->reason), "%s", cms->reason);
        snprintf(report->detail, sizeof(report->detail), "%s", cms->detail);
        snprintf(report->cipher, sizeof(report->cipher), "%s", cms->cipher);
        report->authenticated = cms->authenticated;
        report->opened_unauthenticated = unwrapper->opened;
        if (unwrapper->stale)
                return VERDICT_NO_KEY;
        if (r < 0)
                return verdict_of(r);
        set_fingerprint(keys[cms->key].certificate, report);
        return VERDICT_INSTALLED;
}

static Verdict unwrap(Unwrapper *unwrapper, int fd_file, const void *file, size_t size, int *ret_fd,
                UnwrapReport *report) {
        Envelope envelope;
        int r;

        if (EVP_Digest(file, size, report->sha256, NULL, EVP_sha256(), NULL) != 1) {
                snprintf(report->reason, sizeof(report->reason), "out of memory");
                return VERDICT_UNAVAILABLE;
        }
        r = envelope_detect(file, size, &envelope, report->reason);
        if (r < 0)
                return VERDICT_MALFORMED;
        if (envelope.kind != ENVELOPE_PLAIN)
                return decrypt(unwrapper, &envelope, ret_fd, report);

        /* RFC 8886 §4.3: "configured to only support encrypted configuration [...] it should abort". */
        if (unwrapper->config->encrypted_only) {
                snprintf(report->reason, sizeof(report->reason),
                                "not encrypted, and EncryptedOnly=yes is set");
                return VERDICT_NOT_ENCRYPTED;
        }
        r = fcntl(fd_file, F_DUPFD_CLOEXEC, 3);
        if (r < 0) {
                snprintf(report->reason, sizeof(report->reason), "%s", strerror(errno));
                return VERDICT_UNAVAILABLE;
        }
        *ret_fd = r;
        return VERDICT_INSTALLED;
}

Verdict unwrapper_run(Unwrapper *unwrapper, int fd_file, size_t size, int *ret_fd, UnwrapReport *report) {
        Verdict verdict;
        void *file;

        *report = (UnwrapReport){ 0 };
        if (size == 0) {
                snprintf(report->reason, sizeof(report->reason), "the file is empty");
                return VERDICT_EMPTY;
        }
        file = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd_file, 0);
        if (file == MAP_FAILED) {
                snprintf(report->reason, sizeof(report->reason), "%s", strerror(errno));
                return VERDICT_UNAVAILABLE;
        }
        verdict = unwrap(unwrapper, fd_file, file, size, ret_fd, report);
        munmap(file, size);
        return verdict;
}
