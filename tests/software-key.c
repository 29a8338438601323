/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/software-key.h"

#include "tpm/openssl.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>

/* Made for these tests: the corpus of the fuzzers is encrypted to them. */
static const char *const pems[] = {
        [SOFTWARE_KEY_RSA2048] = "-----BEGIN RSA PRIVATE KEY-----\n"
                                 "MIIEoQIBAAKCAQEAsS9mCA+UFm3UBZwzT/CK+igkXZlxb20YrvT0+FwMSO+GSLna\n"
                                 "Lfi0G190IdwhT4AtsaxRTkFQcOOl+hHIGDpk1zaBMxLMFTqRnUO7DQPSMygcaPVx\n"
                                 "fDStOFx24wb7eVz+5WA0MYAaXPsAO73Z5B6dcaUTXvrb7SC4SfWIWcdqWZoq6IoU\n"
                                 "679IAg+Qa/NJvX2EXe5VSy/DQ5bp5YqLd7kcTsjbFG21LYU+nVZg5n1sFAgjsoOL\n"
                                 "LvIZIuj0xX9+IhSF4z78+knEL9G2Onu+mFbVfvT5p3ZSZdI7XXNrEKLEDaGfe+ST\n"
                                 "ZtLKuEotEIcwQ2rcfRfpZhrafObQvnTimvfTEwIDAQABAoH/Ax1SLdIYSEyl7XNR\n"
                                 "c5ZG2x7ZhMutsse4J1sm8zarAJ01PxIFQ8mbYN/MqsuzyjH2m6jrxPRg9ZsKz9qA\n"
                                 "Kezc2OucWcl6zOS6qokGQLRQfZW26iFmXUiPwu3dKSB2SyvXTzDhuf0GeZvv5Rzx\n"
                                 "N5FSMy0zqfe+5ewtUR9/xhQ7Slfj3tGL1ivL4h0zn7QHsaeosJVHh/uROODisTQn\n"
                                 "ZMt/NVkF9Jrz5npURGaDSfdN8W7T1CAeOEGcYA0EXHb/VPXJ/HWtmL21XxgDPUI4\n"
                                 "MhGgVPOlxS8BaekeWLRyUiubFtTRjaCkuYdJYGJhyPa5P0KoTftIyTOfBvO7amSd\n"
                                 "rThFAoGBAO/ij5hamvbvk1sf/nBHilGbPHv93UdAnGGlqCr0jfI30JKBRnI7Sjuk\n"
                                 "BpFZXu/rBXLIXEKe+/S/UOE+9iyuE+8iUnnzbRhPcWRHA23TIVdzkBFB2WIbEF4C\n"
                                 "V2UCS9AACBw5A7nl1tSUgWEWAYwViTophMfNWc1aERY/GEVeJ5K9AoGBAL0WjXO9\n"
                                 "qvilzLX8CIn5pjuYerZa2xsGENmQJAWihrgfzqkaEAm9SmbPzhocivMbgYWXf6az\n"
                                 "jgB21xiHkV0EpGDrqkbvBDOyvD8Aeqi0zdkG9E2LqbHdwAeeC1nrPqxmglDwnMV3\n"
                                 "NDRvZMJYoZguyp6g/9l9G6rJVTPNk7W378IPAoGAZUQNPlGxbWEBocxFyvxIZd7U\n"
                                 "j7tBeFzMJ2SZM1j9uyzYvaAZLwvccITzyNQjgcCDEkuGtxEKZ+2DpTLBFWd/PsoM\n"
                                 "azLZ8RNIWP6pcelY/+PnA4H61LF8HVN7tUZc3rfEtLVU31spb6ApZeS2Tn6g6Y6x\n"
                                 "YO9NY6UL5YpJIq92oTkCgYAQo5Zo8+zCmpxr+zSpJ43IOr+5oj8bnqoG6xcwY7/l\n"
                                 "He9qk/+LS9vrNigVxiM4B1ibb9xsx+ocAlklMHDLNahdWv+N5GSDRBwqkxk4FUjz\n"
                                 "6xe+ZybUnwXR5cdr7zaBpzeadcHl4np2jsLYE0KNCLkNwm8hLVAs9DCKMXHpELmJ\n"
                                 "YwKBgQCi2IZGxhBEbLEBVAnuTL0QjPmmlGHwO9blGM2GHBlzO2rgxk+gOJXQDFwc\n"
                                 "spSfVX25NT6hNaHLRJ9SQgdKKuVxM2it5pTmrl3Hub8nfEFNbO1iSqCjX+cuMNF1\n"
                                 "dxp1qFlgAZvVB4v9Q2aA1FZdgfYgkTVo1qSot6UxruDcLLvSIw==\n"
                                 "-----END RSA PRIVATE KEY-----\n",
        [SOFTWARE_KEY_P256] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MHcCAQEEIFzjrp2xscylRoGYV7kfFBz6cX8JiNsDJ3AHaskcBIvJoAoGCCqGSM49\n"
                              "AwEHoUQDQgAE/OHTlHkhrk3hYoLa/OdI9TpVH+EjfRZmpBMNKMQbkfVj5TDI+lcg\n"
                              "1LjI/W0v2hVEBm8acpFzEh8OvAxQZA0CZQ==\n"
                              "-----END EC PRIVATE KEY-----\n",
        [SOFTWARE_KEY_RSA3072] = "-----BEGIN RSA PRIVATE KEY-----\n"
                                 "MIIG4wIBAAKCAYEAzjBUrkQeLJr3NzVzW/ZsrDEWmKrwQOo9j+rGBX/Ram6mpuS/\n"
                                 "j0niWdFvjxGC7nXRX/v7DaCdcbFrg2C3AhjAD8hdfPUx8OToK3F0/Not44wvIur8\n"
                                 "QGsJ9Mh/xl7mFLCpRmH9TDPSXydHtldkVrMI/4t6+hZqon/PABJOFpd1xqCisd5W\n"
                                 "FNLuWMZb5cTdOYjxVEov7qtVE2rr7wmatfI0P+4WlfLQ2Pb8fBeX1Hn5gAf75l4o\n"
                                 "0DNU3ZngPL6ZU6+8k8XKql3lXbKN6IMFs3iWRwV/RWJwxYG6msRAXhSQ4+U5vRKw\n"
                                 "4uKCy8uzupp8TKjR/fJlLzFt5iQFNU6m7eVp4DmQWR2hicy3Chf0qyXCcRPpGuI8\n"
                                 "Tw9DG5TS9CtQQ4FTxEGNFIen6uB45q2KlWHguRUC+rJRIbKutGOuMP/oIDOiLBh7\n"
                                 "QLbtD4mojjZnYr26Z9pteKQadcthlmM+OPHic+2TsHlKn5DSb86hgCbRF9iD0GQO\n"
                                 "2p7JbauGC/f1GxG7AgMBAAECggGARf+gb/0OJWSCswqBXGIfaKHNowy9PbyII9i3\n"
                                 "W1yWUsS37QbRhaq2nnl8nxx5z8zNxQE9rNWvPc7WyiZGWv7eDT2fh3GSf86mh0Eg\n"
                                 "T0sesxZ/ViJietgb7C85ObYz9Cg5f3x6yqj5LXafYObwWIK1dlP67vY3Q22Sb9rH\n"
                                 "CeJniIQ2V548qRsm8Zp9zlZ0KDk2fMAm36bo3gu5h1BCZqyQUnfY0RU7E71d4B7+\n"
                                 "W5MBQhbzzLSAtJYIpKa9usGWOhP5nEtj4qCRL7SpEiqD76WP7OEZHmIDl6VbRxtb\n"
                                 "EQ3rSgwVOCb8V37V4vXz8l/nLt4scQmJlqolZQnMe6j8M8mFDFiHAgPRfoJaYf90\n"
                                 "/PRIJpKIDmDjOECaXJPQAjXqh7/R26exDRzfxDOZ1vPh25uvwMIxL9EsIHl73SBP\n"
                                 "7Hkke3ko/0KBC53HK4cM5HduAIu5oGmJoyoACHXa1CX/Hz23wVH5fkBuRyJXqRgm\n"
                                 "+nPmua51CrUGmyoZ43/b8zgL6icZAoHBAOiVFjLozRgpHQFDaZE8US/LmZZ6nJRI\n"
                                 "vCpGttq9lTB5qrdb3zhzSRs004TV9F7zCETSRmkhzVXVMKK8JeRm+8PP4GxUUiSa\n"
                                 "/Vu3bCuikJLMwW31Ak7DoDvMZKdOL0ybYytIGCe0Ntzc4y6R0En0DJxFf5Xx15hr\n"
                                 "DjsIofMS5zkmsAQxuxSb3jcxClSdzDGMif/oAqcp3KKMquwLE74VX4HX8/6605s1\n"
                                 "81VOO7uHTG1YySfMYyPVNbZcPEOqrRxXLwKBwQDi8vAdPn0kjPEDvg+nSWFbMVBL\n"
                                 "JVdJHCYeZfh5NuxUPLPfrxqtm64/0c+x6Lv/F36Y379ok6XdrEb2FV1qrYnDA9qV\n"
                                 "XWBxkKnm91I975fHoENEq5PCR4hxRqht0XbrS8YNzSlX8ux931cM5nTcaVwq3ymH\n"
                                 "0YQXaHYizfKQC1iAz6ipThtVgb2/EIzhGUYgqTUlHg84qy+zrGXwNi9pz6XPDShN\n"
                                 "1kyt788si5qKLF/REL5/7dM5UP361KOfFkHiCzUCgcA81pq68GiNtFtw9ChOJF/8\n"
                                 "R57CXQpOQ4Rs7phwOX0n8/tzASYvxwBNjJDzw1+r4pi8H+DpKT1kAWM6fkrPJx0e\n"
                                 "SGclDx15k81IS3+RHnIA5GyIjblvzv5ABiQiG3KF8HONY8tlv19GgMUwblX0slEG\n"
                                 "I6vPFjbWGNLdIFH0mnI/Yd5TCossReVnvH0+SxSZtXB3r0HaZjnfjzo6il88rqyP\n"
                                 "82RQsqAdjow7OT6ovCiCxeHAdldMjT4CmLfu31tu+WMCgcEAlO31sksylkzDUMBl\n"
                                 "x1K5R725wkZz3C9TuHkUMH9hYPog0/Y13J2gIJNP56Eh1YmWcz3Jfxf9LdYDDzQA\n"
                                 "BKRzFf2ucHxBcOUNCdtdJfXXtZGu8x5hLYoBuMw0dTSTBF/KTX5H1kY8+XEZ0AZf\n"
                                 "w9CEQkIGH/HW7AGKHNbnia1YW9dqCAiQmXE1km+K86DBS2eez4fFV1vHRvIoRxVX\n"
                                 "0ekJFzG8NDAgS7hmTQYj2O67xhdl28+24BMNSJBH+3sAqxTNAoHANhleD9bDnJds\n"
                                 "PdFNeaFgZcTRpBNQW93fFxpuUAjXJsbLdD+VCi1UPlZY9SJIWY26YKokpYMsXuVL\n"
                                 "h3WCfDgkUN+F16cKZufHVP4BYoUaqDJMEYCW0546ePY8uXAs4BDoeVOq5tMvBL2f\n"
                                 "c79IneRulaiU3SLerS7Tx/7dj4zKN9KxillDAqEv7HHRh4p7ZPZKa5Gj7S7iF5Id\n"
                                 "g1f/bMuHaSo1R5ZaswO0zVfruUeFt4Mx/o2Y4Ax9Faipd1h/QFKb\n"
                                 "-----END RSA PRIVATE KEY-----\n",
        [SOFTWARE_KEY_P384] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MIGkAgEBBDBdCwIOmYaM2vz7ZF/lN4JlX7c3MAVgFYWrC4F5L4FwwqaYgp4qNTaM\n"
                              "rUsnz3mrYq6gBwYFK4EEACKhZANiAAS8tEol9HNXLI4TEp0i5vQIXVN9vPSE85gG\n"
                              "E8QmW2VZ+j5uSTrLgKI9Mk4SqlR4YFDNTNwRdIY6IGMYY0c72R4fqYSQwD1xSGO8\n"
                              "9DIgbAA1kbWOgaLzHZGoWvpjK9mqJTw=\n"
                              "-----END EC PRIVATE KEY-----\n",
};

static int decrypt_rsa(void *userdata, const uint8_t *cipher, size_t n, uint8_t *ret_block) {
        SoftwareKey *key = userdata;
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context =
                        EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL);
        size_t size = n;

        key->n_operations++;
        if (key->error < 0)
                return key->error;
        if (!context || EVP_PKEY_decrypt_init(context) != 1 ||
                        EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) != 1 ||
                        EVP_PKEY_decrypt(context, ret_block, &size, cipher, n) != 1 || size != n)
                return openssl_error(-EINVAL);
        return 0;
}

static int agree_ecdh(void *userdata, const uint8_t *point, size_t n_point, uint8_t *ret_z) {
        SoftwareKey *key = userdata;
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = EVP_PKEY_new();
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context =
                        EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL);
        size_t size = n_point / 2;

        key->n_operations++;
        if (key->error < 0)
                return key->error;
        if (!peer || !context || EVP_PKEY_copy_parameters(peer, key->key) != 1 ||
                        EVP_PKEY_set1_encoded_public_key(peer, point, n_point) != 1 ||
                        EVP_PKEY_derive_init(context) != 1 || EVP_PKEY_derive_set_peer(context, peer) != 1 ||
                        EVP_PKEY_derive(context, ret_z, &size) != 1 || size != n_point / 2)
                return openssl_error(-EINVAL);
        return 0;
}

static const char *reason(void *userdata) {
        const SoftwareKey *key = userdata;

        return strerror(-key->error);
}

/* What certificate_make() writes, signed by OpenSSL. */
static X509 *make_certificate(EVP_PKEY *key, const char *name) {
        _cleanup_(X509_freep) X509 *certificate = X509_new();
        _cleanup_(X509_NAME_freep) X509_NAME *subject = X509_NAME_new();
        _cleanup_(ASN1_OCTET_STRING_freep) ASN1_OCTET_STRING *identifier = ASN1_OCTET_STRING_new();
        uint8_t digest[EVP_MAX_MD_SIZE];
        _cleanup_openssl_ unsigned char *der = NULL;
        int n = i2d_PUBKEY(key, &der);

        if (!certificate || !subject || !identifier || n <= 0 ||
                        X509_set_version(certificate, X509_VERSION_3) != 1 ||
                        EVP_Digest(der, (size_t) n, digest, NULL, EVP_sha256(), NULL) != 1)
                return NULL;
        digest[0] = (digest[0] & 0x7f) | 0x40;
        if (ASN1_STRING_set(X509_get_serialNumber(certificate), digest, 20) != 1 ||
                        X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
                                        (const unsigned char *) name, -1, -1, 0) != 1 ||
                        X509_set_issuer_name(certificate, subject) != 1 ||
                        X509_set_subject_name(certificate, subject) != 1 ||
                        !X509_gmtime_adj(X509_getm_notBefore(certificate), 0) ||
                        !X509_gmtime_adj(X509_getm_notAfter(certificate), 86400) ||
                        X509_set_pubkey(certificate, key) != 1 ||
                        X509_pubkey_digest(certificate, EVP_sha1(), digest, NULL) != 1 ||
                        ASN1_OCTET_STRING_set(identifier, digest, SHA_DIGEST_LENGTH) != 1 ||
                        X509_add1_ext_i2d(certificate, NID_subject_key_identifier, identifier, 0, 0) != 1 ||
                        X509_sign(certificate, key, EVP_sha256()) <= 0)
                return NULL;
        return TAKE_PTR(certificate);
}

/* Both are freed when one of them is NULL. */
static int finish(SoftwareKey *key) {
        _cleanup_openssl_ unsigned char *der = NULL;
        int n = key->certificate ? i2d_X509(key->certificate, &der) : -1;

        if (!key->key || n <= 0 || certificate_from_der(der, (size_t) n, &key->certificate_read) < 0) {
                software_key_done(key);
                return openssl_error(-EIO);
        }
        key->cms = (CmsKey){
                .certificate = key->certificate_read,
                .decrypt_rsa = decrypt_rsa,
                .agree_ecdh = agree_ecdh,
                .reason = reason,
                .userdata = key,
        };
        return 0;
}

int software_key_open(SoftwareKeyType type, const char *name, SoftwareKey *ret) {
        _cleanup_(BIO_free_allp) BIO *bio = BIO_new_mem_buf(pems[type], -1);

        *ret = (SoftwareKey){ .key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) };
        if (ret->key)
                ret->certificate = make_certificate(ret->key, name);
        return finish(ret);
}

int software_key_load(const char *key_path, const char *certificate_path, SoftwareKey *ret) {
        _cleanup_fclose_ FILE *key = fopen(key_path, "re"), *certificate = fopen(certificate_path, "re");

        if (!key || !certificate)
                return -errno;
        *ret = (SoftwareKey){
                .key = PEM_read_PrivateKey(key, NULL, NULL, NULL),
                .certificate = PEM_read_X509(certificate, NULL, NULL, NULL),
        };
        return finish(ret);
}

void software_key_done(SoftwareKey *key) {
        EVP_PKEY_free(key->key);
        X509_free(key->certificate);
        certificate_free(key->certificate_read);
        *key = (SoftwareKey){};
}
