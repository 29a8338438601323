/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/cleanup.h"
#include "base/memfd.h"
#include "tests/cms-maker.h"
#include "tests/software-key.h"
#include "tpm/cms.h"

#include <errno.h>
#include <openssl/obj_mac.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* One of each type, all named SN19842256 and given to the reader at once; and one that it does not have. */
static SoftwareKey keys[_SOFTWARE_KEY_TYPE_MAX], other;
static SoftwareKey *const rsa = &keys[SOFTWARE_KEY_RSA2048];

static int setup(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (software_key_open((SoftwareKeyType) i, "SN19842256", &keys[i]) < 0)
                        return -1;
        return software_key_open(SOFTWARE_KEY_P256, "SN1", &other);
}

static int teardown(void **state) {
        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                software_key_done(&keys[i]);
        software_key_done(&other);
        return 0;
}

static unsigned n_operations(void) {
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                n += keys[i].n_operations;
        return n;
}

/* An fd or an error, the reason in `report`. */
static int decrypt(const uint8_t *file, size_t size, CmsFlags flags, CmsReport *report) {
        char reason[ENVELOPE_REASON_MAX];
        CmsKey cms[ELEMENTSOF(keys)];
        Envelope envelope;
        int fd = -77, r;

        *report = (CmsReport){};
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                keys[i].n_operations = 0;
                cms[i] = keys[i].cms;
        }
        r = envelope_detect(file, size, &envelope, reason);
        if (r < 0)
                return r;
        r = cms_decrypt(&envelope, cms, ELEMENTSOF(cms), flags, &fd, report);
        assert_in_range(n_operations(), 0, 1);
        if (r < 0) {
                assert_int_equal(fd, -77);
                assert_string_not_equal(report->reason, "");
                for (const char *p = report->reason; *p; p++)
                        assert_in_range(*p, ' ', '~');
                return r;
        }
        assert_string_equal(report->reason, "");
        assert_int_equal(keys[report->key].n_operations, 1);
        return fd;
}

static bool content_is(int fd, const void *expected, size_t n) {
        uint64_t size;
        void *data;
        bool same;

        if (memfd_check_sealed(fd, &size) < 0 || size != n)
                return false;
        if (n == 0)
                return true;
        data = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
        same = data != MAP_FAILED && memcmp(data, expected, n) == 0;
        munmap(data, n);
        return same;
}

static void check(const CmsMaker *maker, const void *content, size_t n) {
        _cleanup_free_ uint8_t *file = NULL;
        _cleanup_close_ int fd = -1;
        CmsReport report;
        size_t size;

        cms_make(maker, content, n, &file, &size);
        fd = decrypt(file, size, CMS_LEGACY_CIPHERS, &report);
        if (fd < 0)
                fail_msg("format %d, cipher %s, %zu bytes: %s (%s)", maker->format, maker->cipher, n,
                                report.reason, report.detail);
        assert_true(content_is(fd, content, n));
        assert_int_equal(n_operations(), 1);
        assert_string_equal(report.cipher, maker->cipher ? maker->cipher : "AES-256-GCM");
        assert_int_equal(report.authenticated, strstr(report.cipher, "GCM") != NULL);
}

static void refused(const CmsMaker *maker, CmsFlags flags, int error, const char *part) {
        _cleanup_free_ uint8_t *file = NULL;
        CmsReport report;
        size_t size;

        cms_make(maker, "hostname sw1\n", 13, &file, &size);
        assert_int_equal(decrypt(file, size, flags, &report), error);
        if (!strstr(report.reason, part))
                fail_msg("\"%s\" does not contain \"%s\"", report.reason, part);
}

static void test_every_mode(void **state) {
        static const char *const ciphers[] = { "AES-128-CBC", "AES-192-CBC", "AES-256-CBC", "AES-128-GCM",
                "AES-192-GCM", "AES-256-GCM", "DES-EDE3-CBC" };
        static const size_t sizes[] = { 0, 1, 7, 8, 15, 16, 17, 1000, 70000 };
        _cleanup_free_ uint8_t *content = malloc(70000);

        (void) state;
        assert_non_null(content);
        for (size_t i = 0; i < 70000; i++)
                content[i] = (uint8_t) (i * 31 >> 3);
        for (size_t c = 0; c < ELEMENTSOF(ciphers); c++)
                for (CmsMakerFormat format = CMS_MAKER_DER; format <= CMS_MAKER_STREAM; format++)
                        for (size_t s = 0; s < ELEMENTSOF(sizes); s++) {
                                CmsMaker maker = {
                                        .format = format,
                                        .cipher = ciphers[c],
                                        .recipients = &rsa->certificate,
                                        .n_recipients = 1,
                                        .key_identifier = s % 2,
                                };

                                /* OpenSSL itself cannot write a stream of nothing in GCM. */
                                if (format == CMS_MAKER_STREAM && sizes[s] == 0 && strstr(ciphers[c], "GCM"))
                                        continue;
                                check(&maker, content, sizes[s]);
                        }
}

static void test_oaep(void **state) {
        static const char *const digests[] = { "SHA1", "SHA224", "SHA256", "SHA384", "SHA512" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(digests); i++)
                for (size_t k = 0; k < ELEMENTSOF(digests); k++)
                        check(&(CmsMaker){ .recipients = &rsa->certificate,
                                              .n_recipients = 1,
                                              .oaep_digest = digests[i],
                                              .mask_digest = digests[k],
                                              .oaep_label = i == k ? "a label" : NULL },
                                        "hostname sw1\n", 13);
        refused(&(CmsMaker){ .recipients = &rsa->certificate,
                                .n_recipients = 1,
                                .oaep_digest = "SHA512-256",
                                .mask_digest = "SHA1" },
                        0, -EOPNOTSUPP, "OAEP with sha512-256");
        refused(&(CmsMaker){ .recipients = &rsa->certificate,
                                .n_recipients = 1,
                                .oaep_digest = "SHA1",
                                .mask_digest = "SHA3-256" },
                        0, -EOPNOTSUPP, "OAEP with sha3-256");
}

static void test_agreement(void **state) {
        static const char *const digests[] = { "SHA1", "SHA224", "SHA256", "SHA384", "SHA512" },
                                 *const wraps[] = { NULL, "AES-128-WRAP", "AES-192-WRAP", "AES-256-WRAP" },
                                 *const ciphers[] = { "AES-128-CBC", "AES-192-GCM", "AES-256-GCM" };
        static const SoftwareKeyType types[] = { SOFTWARE_KEY_P256, SOFTWARE_KEY_P384 };
        unsigned n = 0;

        (void) state;
        for (size_t t = 0; t < ELEMENTSOF(types); t++)
                for (size_t d = 0; d < ELEMENTSOF(digests); d++)
                        for (size_t w = 0; w < ELEMENTSOF(wraps); w++)
                                for (size_t c = 0; c < ELEMENTSOF(ciphers); c++, n++)
                                        check(&(CmsMaker){ .recipients = &keys[types[t]].certificate,
                                                              .n_recipients = 1,
                                                              .format = n % 4,
                                                              .key_identifier = n % 3 == 0,
                                                              .cipher = ciphers[c],
                                                              .agreement_digest = digests[d],
                                                              .wrap = wraps[w],
                                                              .cofactor = n % 2 },
                                                        "hostname sw1\n", 13);
}

static void compress(ASN1_BIT_STRING *point) {
        uint8_t octets[1 + 48];
        int n = ASN1_STRING_length(point) / 2;

        memcpy(octets, ASN1_STRING_get0_data(point), (size_t) n + 1);
        octets[0] = 2 | (ASN1_STRING_get0_data(point)[2 * n] & 1);
        assert_int_equal(ASN1_STRING_set(point, octets, n + 1), 1);
}

static void infinity(ASN1_BIT_STRING *point) {
        assert_int_equal(ASN1_STRING_set(point, "", 1), 1);
}

static void off_the_curve(ASN1_BIT_STRING *point) {
        point->data[point->length - 1] ^= 1;
}

static void cut(ASN1_BIT_STRING *point) {
        point->length--;
}

static void empty(ASN1_BIT_STRING *point) {
        point->length = 0;
}

static void test_points(void **state) {
        static void (*const bad[])(ASN1_BIT_STRING *) = { infinity, off_the_curve, cut, empty };

        (void) state;
        for (SoftwareKeyType type = 0; type < _SOFTWARE_KEY_TYPE_MAX; type++) {
                if (!EVP_PKEY_is_a(keys[type].key, "EC"))
                        continue;
                check(&(CmsMaker){ .recipients = &keys[type].certificate,
                                      .n_recipients = 1,
                                      .change_point = compress },
                                "x", 1);
                for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                        refused(&(CmsMaker){ .recipients = &keys[type].certificate,
                                                .n_recipients = 1,
                                                .change_point = bad[i] },
                                        0, -EBADMSG, "not a point of the curve");
                        assert_int_equal(n_operations(), 0);
                }
        }
}

/* RFC 5649's variant may not stand in for RFC 3394's. */
static void test_wrong_wrap(void **state) {
        (void) state;
        refused(&(CmsMaker){ .recipients = &keys[SOFTWARE_KEY_P256].certificate,
                                .n_recipients = 1,
                                .wrap = "AES-256-WRAP-PAD" },
                        0, -EOPNOTSUPP, "wrapped with id-aes256-wrap-pad; use AES key wrap");
}

static void test_rsa3072(void **state) {
        (void) state;
        check(&(CmsMaker){ .recipients = &keys[SOFTWARE_KEY_RSA3072].certificate, .n_recipients = 1 }, "x",
                        1);
        check(&(CmsMaker){ .recipients = &keys[SOFTWARE_KEY_RSA3072].certificate,
                              .n_recipients = 1,
                              .oaep_digest = "SHA512" },
                        "x", 1);
}

static void test_among_others(void **state) {
        X509 *recipients[1000];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(recipients); i++)
                recipients[i] = other.certificate;
        recipients[700] = rsa->certificate;
        check(&(CmsMaker){ .recipients = recipients, .n_recipients = 1000 }, "hostname sw1\n", 13);

        recipients[700] = other.certificate;
        refused(&(CmsMaker){ .recipients = recipients, .n_recipients = 1000 }, 0, -ENOKEY,
                        "not encrypted for this");
        assert_int_equal(n_operations(), 0);
}

static void test_too_many(void **state) {
        X509 *recipients[1025];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(recipients); i++)
                recipients[i] = rsa->certificate;
        refused(&(CmsMaker){ .recipients = recipients, .n_recipients = 1025 }, 0, -E2BIG, "more than 1024");
        assert_int_equal(n_operations(), 0);
        check(&(CmsMaker){ .recipients = recipients, .n_recipients = 1024 }, "hostname sw1\n", 13);
}

static void test_other_device(void **state) {
        SoftwareKey renamed;

        (void) state;
        assert_int_equal(software_key_open(SOFTWARE_KEY_RSA2048, "SN\e[31m", &renamed), 0);
        refused(&(CmsMaker){ .recipients = &renamed.certificate, .n_recipients = 1 }, 0, -ENOKEY,
                        "not encrypted for this device, but for /CN=SN\\x1B[31m serial ");
        assert_int_equal(n_operations(), 0);
        software_key_done(&renamed);
}

static void test_refused_algorithms(void **state) {
        X509 *const *recipients = &rsa->certificate;

        (void) state;
        refused(&(CmsMaker){ .recipients = recipients, .n_recipients = 1, .cipher = "DES-EDE3-CBC" }, 0,
                        -EPERM, "encrypted with des-ede3-cbc; use -aes-256-gcm");
        refused(&(CmsMaker){ .recipients = recipients, .n_recipients = 1, .cipher = "CAMELLIA-256-CBC" }, 0,
                        -EOPNOTSUPP, "encrypted with camellia-256-cbc; use -aes-256-gcm");
        refused(&(CmsMaker){ .recipients = recipients, .n_recipients = 1, .content_type = NID_pkcs7_signed },
                        0, -EOPNOTSUPP, "pkcs7-signedData");
        assert_int_equal(n_operations(), 0);
}

static void test_two_layers(void **state) {
        _cleanup_free_ uint8_t *inner = NULL, *file = NULL;
        CmsReport report;
        size_t n, size;

        (void) state;
        cms_make(&(CmsMaker){ .recipients = &rsa->certificate, .n_recipients = 1, .format = CMS_MAKER_PEM },
                        "x", 1, &inner, &n);
        cms_make(&(CmsMaker){ .recipients = &rsa->certificate, .n_recipients = 1 }, inner, n, &file, &size);
        assert_int_equal(decrypt(file, size, 0, &report), -EOPNOTSUPP);
        assert_non_null(strstr(report.reason, "once"));
}

/* Two keys: the first that is named is used, whatever the order in the file. */
static void test_preference(void **state) {
        X509 *both[] = { other.certificate, rsa->certificate };
        CmsKey preferences[] = { rsa->cms, rsa->cms };
        SoftwareKey renamed;

        (void) state;
        assert_int_equal(software_key_open(SOFTWARE_KEY_RSA2048, "operator", &renamed), 0);
        both[0] = renamed.certificate;
        for (size_t preferred = 0; preferred < 2; preferred++) {
                _cleanup_free_ uint8_t *file = NULL;
                _cleanup_close_ int fd = -1;
                Envelope envelope;
                char reason[ENVELOPE_REASON_MAX];
                CmsReport report;
                size_t size;

                preferences[preferred] = renamed.cms;
                preferences[!preferred] = rsa->cms;
                cms_make(&(CmsMaker){ .recipients = both, .n_recipients = 2 }, "x", 1, &file, &size);
                assert_int_equal(envelope_detect(file, size, &envelope, reason), 0);
                rsa->n_operations = renamed.n_operations = 0;
                assert_int_equal(cms_decrypt(&envelope, preferences, 2, 0, &fd, &report), 0);
                assert_int_equal(report.key, 0);
                assert_int_equal(renamed.n_operations, preferred == 0);
                assert_int_equal(rsa->n_operations, preferred == 1);
        }
        software_key_done(&renamed);
}

static void test_key_is_busy(void **state) {
        static const struct {
                int error, expected;
                const char *reason;
        } cases[] = {
                { -EBUSY, -EAGAIN, "cannot be used now: Device or resource busy" },
                { -ENODEV, -EAGAIN, "cannot be used now: No such device" },
                { -EINVAL, -EAGAIN, "cannot be used now: Invalid argument" },
                { -EOPNOTSUPP, -EOPNOTSUPP, "cannot decrypt: Operation not supported" },
                { -ENOMEM, -ENOMEM, "Cannot allocate memory" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                rsa->error = cases[i].error;
                refused(&(CmsMaker){ .recipients = &rsa->certificate, .n_recipients = 1 }, 0,
                                cases[i].expected, cases[i].reason);
                assert_int_equal(n_operations(), 1);
        }
        rsa->error = 0;
}

static void test_every_prefix(void **state) {
        static const CmsMakerFormat formats[] = { CMS_MAKER_DER, CMS_MAKER_STREAM, CMS_MAKER_PEM,
                CMS_MAKER_SMIME };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                _cleanup_free_ uint8_t *file = NULL;
                size_t size, n;

                cms_make(&(CmsMaker){ .recipients = &rsa->certificate,
                                         .n_recipients = 1,
                                         .format = formats[i] },
                                "hostname sw1\n", 13, &file, &size);
                while (file[size - 1] == '\n') /* what follows the end of the envelope is not part of it */
                        size--;
                for (n = 1; n < size; n++) {
                        _cleanup_free_ uint8_t *copy = malloc(n);
                        CmsReport report;

                        assert_non_null(copy);
                        memcpy(copy, file, n);
                        if (decrypt(copy, n, 0, &report) != -EBADMSG)
                                fail_msg("format %d cut to %zu bytes: %s", formats[i], n, report.reason);
                        assert_int_equal(n_operations(), 0);
                }
        }
}

/*
 * An authenticated file with a bit changed is refused. The exceptions are the issuer's name, which is compared
 * without regard to case (RFC 5280, section 7.1), and cofactor ECDH on a curve without one;
 * the content is the same then.
 */
static void check_every_bit(SoftwareKeyType type) {
        _cleanup_free_ uint8_t *file = NULL;
        size_t size, name, n_tried = 0;
        const uint8_t *p, *cofactor;

        cms_make(&(CmsMaker){ .recipients = &keys[type].certificate, .n_recipients = 1 }, "hostname sw1\n",
                        13, &file, &size);
        p = memmem(file, size, "SN19842256", 10);
        assert_non_null(p);
        name = (size_t) (p - file);
        /* The last octet of dhSinglePass-stdDH-sha1kdf-scheme; these curves have the cofactor 1. */
        cofactor = memmem(file, size, "\x2b\x81\x05\x10\x86\x48\x3f\x00\x02", 9);
        if (cofactor)
                cofactor += 8;
        for (size_t i = 0; i < size; i++)
                for (unsigned bit = 0; bit < 8; bit++) {
                        _cleanup_close_ int fd = -1;
                        CmsReport report;

                        file[i] ^= (uint8_t) (1 << bit);
                        fd = decrypt(file, size, 0, &report);
                        if (fd >= 0) {
                                assert_true(content_is(fd, "hostname sw1\n", 13));
                                if ((i < name || i > name + 9) && !(&file[i] == cofactor && bit == 0))
                                        fail_msg("byte %zu, bit %u makes no difference", i, bit);
                        }
                        file[i] ^= (uint8_t) (1 << bit);
                        n_tried++;
                }
        assert_int_equal(n_tried, size * 8);
}

static void test_every_bit_changed(void **state) {
        (void) state;
        check_every_bit(SOFTWARE_KEY_RSA2048);
        check_every_bit(SOFTWARE_KEY_P256);
}

static void test_damaged_wrapped_key(void **state) {
        _cleanup_free_ uint8_t *file = NULL;
        CmsReport report;
        size_t size;
        uint8_t *p;

        (void) state;
        cms_make(&(CmsMaker){ .recipients = &keys[SOFTWARE_KEY_P384].certificate, .n_recipients = 1 }, "x",
                        1, &file, &size);
        p = memmem(file, size, "SN19842256", 10);
        assert_non_null(p);
        p = memmem(p, size - (size_t) (p - file), "\x04\x28", 2); /* encryptedKey: 32 + 8 bytes */
        assert_non_null(p);
        for (size_t i = 2; i < 42; i++) {
                p[i] ^= 1;
                assert_int_equal(decrypt(file, size, 0, &report), -EKEYREJECTED);
                assert_int_equal(n_operations(), 1);
                assert_string_equal(report.detail, "the encrypted key is wrong");
                p[i] ^= 1;
        }
}

/* A damaged encrypted key never passes, in 10,000 files, and says the same as damaged content. */
static void test_damaged_key(void **state) {
        static const char *const ciphers[] = { "AES-128-CBC", "AES-256-GCM" };
        char reason[CMS_REASON_MAX] = "";
        size_t n_files = 0;

        (void) state;
        for (size_t c = 0; c < ELEMENTSOF(ciphers); c++)
                for (unsigned oaep = 0; oaep < 2; oaep++) {
                        _cleanup_free_ uint8_t *file = NULL;
                        CmsReport report;
                        size_t size, key;
                        const uint8_t *p;

                        cms_make(&(CmsMaker){ .recipients = &rsa->certificate,
                                                 .n_recipients = 1,
                                                 .cipher = ciphers[c],
                                                 .oaep_digest = oaep ? "SHA256" : NULL },
                                        "hostname sw1\n", 13, &file, &size);
                        p = memmem(file, size, "\x04\x82\x01\x00", 4); /* encryptedKey */
                        assert_non_null(p);
                        key = (size_t) (p - file) + 4;
                        for (size_t i = 1; i < 256; i++)
                                for (uint8_t change = 1; change <= 10; change++) {
                                        file[key + i] ^= change;
                                        assert_int_equal(decrypt(file, size, 0, &report), -EKEYREJECTED);
                                        assert_int_equal(n_operations(), 1);
                                        assert_string_equal(report.detail, "the encrypted key is wrong");
                                        file[key + i] ^= change;
                                        n_files++;
                                }

                        /* The last byte of the tag; or of the IV, which changes the padding's 3 to 2. */
                        p = memmem(file, size, "\x65\x03\x04\x01\x02\x04\x10", 7);
                        file[c == 0 ? (size_t) (p - file) + 7 + 15 : size - 1] ^= 1;
                        assert_int_equal(decrypt(file, size, 0, &report), -EKEYREJECTED);
                        assert_int_equal(n_operations(), 1);
                        assert_non_null(strstr(report.detail, c == 0 ? "padding" : "tag"));
                        if (!reason[0])
                                strcpy(reason, report.reason);
                        assert_string_equal(report.reason, reason);
                }
        assert_true(n_files >= 10000);
}

static void test_encrypted_key_of_another_size(void **state) {
        _cleanup_free_ uint8_t *file = NULL;
        CmsReport report;
        size_t size;
        uint8_t *p;

        (void) state;
        cms_make(&(CmsMaker){ .recipients = &rsa->certificate, .n_recipients = 1 }, "x", 1, &file, &size);
        p = memmem(file, size, "\x04\x82\x01\x00", 4);
        assert_non_null(p);
        memset(p + 4, 0xff, 256); /* above every modulus */
        assert_int_equal(decrypt(file, size, 0, &report), -EBADMSG);
        assert_int_equal(n_operations(), 0);
}

static void test_trailing_bytes(void **state) {
        _cleanup_free_ uint8_t *file = NULL;
        CmsReport report;
        size_t size;

        (void) state;
        cms_make(&(CmsMaker){ .recipients = &rsa->certificate, .n_recipients = 1 }, "x", 1, &file, &size);
        file[size] = 0; /* cms_make() leaves room for it */
        assert_int_equal(decrypt(file, size + 1, 0, &report), -EBADMSG);
        assert_string_equal(report.reason, "something follows the encrypted content");
}

static void test_plain_is_not_decrypted(void **state) {
        CmsReport report;

        (void) state;
        assert_int_equal(decrypt((const uint8_t *) "hostname", 8, 0, &report), -EBADMSG);
        assert_string_equal(report.reason, "not encrypted");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_mode),
                cmocka_unit_test(test_oaep),
                cmocka_unit_test(test_rsa3072),
                cmocka_unit_test(test_agreement),
                cmocka_unit_test(test_points),
                cmocka_unit_test(test_wrong_wrap),
                cmocka_unit_test(test_among_others),
                cmocka_unit_test(test_too_many),
                cmocka_unit_test(test_other_device),
                cmocka_unit_test(test_refused_algorithms),
                cmocka_unit_test(test_two_layers),
                cmocka_unit_test(test_preference),
                cmocka_unit_test(test_key_is_busy),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test(test_every_bit_changed),
                cmocka_unit_test(test_damaged_key),
                cmocka_unit_test(test_damaged_wrapped_key),
                cmocka_unit_test(test_encrypted_key_of_another_size),
                cmocka_unit_test(test_trailing_bytes),
                cmocka_unit_test(test_plain_is_not_decrypted),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
