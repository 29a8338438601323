/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sdictl.h"

#include "agent/identity-source.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "tpm/certificate.h"
#include "tpm/key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#define CERTIFICATE_SIZE_MAX (64 * 1024)

DEFINE_CLEANUP(X509_REQ, X509_REQ_free)

typedef struct DeviceKey {
        Tpm *tpm;
        TpmKey *key;
} DeviceKey;

static void device_key_close(DeviceKey *device) {
        tpm_key_free(device->key);
        tpm_free(device->tpm);
}

/* 0 or an exit status. */
static int device_key_open(const Config *config, DeviceKey *ret) {
        char reason[TPM_REASON_MAX];
        DeviceKey device = { 0 };
        TpmKeyType type;
        int r;

        if (tpm_key_type_from_string(config->key_type, &type) < 0)
                return sdictl_fail(EX_CONFIG, "unknown [Key] Type=%s", config->key_type);
        r = tpm_open(config->tcti, &device.tpm, reason);
        if (r < 0)
                return sdictl_fail(EX_UNAVAILABLE, "%s", reason);
        r = tpm_key_open(device.tpm, TPM_KEY_DEVICE, type, &device.key);
        if (r < 0) {
                sdictl_fail(EX_UNAVAILABLE, "%s", tpm_reason(device.tpm));
                device_key_close(&device);
                return EX_UNAVAILABLE;
        }
        *ret = device;
        return 0;
}

static int load_certificate(Certificate **ret) {
        _cleanup_free_ char *pem = NULL;
        char path[PATH_MAX];
        size_t size;
        int r;

        r = file_read(AT_FDCWD, config_state_path(path, sizeof(path), "device.crt"), CERTIFICATE_SIZE_MAX,
                        &pem, &size);
        return r < 0 ? r : certificate_from_pem(pem, size, ret);
}

static int save_certificate(const Certificate *certificate) {
        _cleanup_free_ char *pem = NULL;
        char path[PATH_MAX];
        int r;

        if (mkdir(config_state_path(path, sizeof(path), ""), 0755) < 0 && errno != EEXIST)
                return sdictl_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
        r = certificate_to_pem(certificate, &pem);
        if (r >= 0)
                r = file_replace(config_state_path(path, sizeof(path), "device.crt"), pem, strlen(pem), 0644,
                                FILE_DURABLE);
        return r < 0 ? sdictl_fail(EX_CANTCREAT, "%s: %s", path, strerror(-r)) : EXIT_SUCCESS;
}

static void print_key(const Certificate *certificate, const char *type) {
        char fingerprint[CERTIFICATE_FINGERPRINT_TEXT], name[CERTIFICATE_NAME_MAX + 1], path[PATH_MAX];
        uint8_t digest[CERTIFICATE_FINGERPRINT_SIZE];
        size_t n;
        const uint8_t *public = certificate_get_public(certificate, &n);

        printf("Slot:        device\n");
        printf("Type:        %s\n", type);
        printf("Name:        %s\n", certificate_get_name(certificate, name));
        if (certificate_fingerprint(public, n, digest) >= 0)
                printf("Fingerprint: %s\n", certificate_format_fingerprint(fingerprint, digest));
        printf("Certificate: %s\n", config_state_path(path, sizeof(path), "device.crt"));
}

static void on_skip(const char *line) {
        fprintf(stderr, "sdictl key: %s\n", line);
}

/* The serial number that the key is to be known by; 0 or an exit status. */
static int read_serial(const Config *config, Identity *ret) {
        if (identity_read(config, "/", on_skip, ret) < 0)
                return sdictl_fail(EX_UNAVAILABLE,
                                "this device has no serial number; see [Identity] in sdi.conf(5)");
        return 0;
}

/*
 * Made once, at the first power-on in the factory. Again it is the same key and, as long as the serial number is, the same
 * certificate: what has been published stays good.
 */
static int create(const Config *config) {
        _cleanup_(device_key_close) DeviceKey device = { 0 };
        _cleanup_(certificate_freep) Certificate *certificate = NULL;
        char name[CERTIFICATE_NAME_MAX + 1];
        Identity identity;
        int r;

        r = read_serial(config, &identity);
        if (r != 0)
                return r;
        r = device_key_open(config, &device);
        if (r != 0)
                return r;
        if (tpm_key_persist(device.key) < 0)
                fprintf(stderr, "sdictl key: no persistent copy, the key is made again for each use: %s\n",
                                tpm_reason(device.tpm));

        if (load_certificate(&certificate) < 0 || certificate_check_key(certificate, device.key) < 0 ||
                        strcmp(certificate_get_name(certificate, name), identity.serial) != 0) {
                certificate = certificate_free(certificate);
                r = certificate_make(device.key, identity.serial, &certificate);
                if (r < 0)
                        return sdictl_fail(EX_UNAVAILABLE, "cannot make the certificate: %s", strerror(-r));
                r = save_certificate(certificate);
                if (r != EXIT_SUCCESS)
                        return r;
        }
        print_key(certificate, tpm_key_type_to_string(tpm_key_get_type(device.key)));
        return EXIT_SUCCESS;
}

static int show(const Config *config) {
        _cleanup_(device_key_close) DeviceKey device = { 0 };
        _cleanup_(certificate_freep) Certificate *certificate = NULL;
        int r;

        if (load_certificate(&certificate) < 0)
                return sdictl_fail(
                                EX_UNAVAILABLE, "this device has no key yet; `sdictl key create` makes one");
        r = device_key_open(config, &device);
        if (r != 0)
                return r;
        if (certificate_check_key(certificate, device.key) < 0)
                return sdictl_fail(EX_UNAVAILABLE,
                                "the key in the TPM is not that of the certificate; `sdictl key create` makes a new one");
        print_key(certificate, tpm_key_type_to_string(tpm_key_get_type(device.key)));
        return EXIT_SUCCESS;
}

static int print_certificate(const Config *config) {
        _cleanup_(certificate_freep) Certificate *certificate = NULL;
        _cleanup_free_ char *pem = NULL;

        (void) config;
        if (load_certificate(&certificate) < 0)
                return sdictl_fail(
                                EX_UNAVAILABLE, "this device has no key yet; `sdictl key create` makes one");
        if (certificate_to_pem(certificate, &pem) < 0)
                return sdictl_fail(EX_OSERR, "out of memory");
        fputs(pem, stdout);
        return EXIT_SUCCESS;
}

static int print_request(const Config *config) {
        _cleanup_(device_key_close) DeviceKey device = { 0 };
        _cleanup_(X509_REQ_freep) X509_REQ *request = NULL;
        _cleanup_free_ char *pem = NULL;
        Identity identity;
        int r;

        r = read_serial(config, &identity);
        if (r != 0)
                return r;
        r = device_key_open(config, &device);
        if (r != 0)
                return r;
        r = certificate_make_request(device.key, identity.serial, &request);
        if (r >= 0)
                r = certificate_request_to_pem(request, &pem);
        if (r < 0)
                return sdictl_fail(EX_UNAVAILABLE, "cannot make the certificate request: %s", strerror(-r));
        fputs(pem, stdout);
        return EXIT_SUCCESS;
}

int sdictl_key(const Config *config, int argc, char **argv) {
        static const struct {
                const char *name;
                int (*run)(const Config *config);
        } verbs[] = {
                { "create", create },
                { "show", show },
                { "certificate", print_certificate },
                { "request", print_request },
        };

        if (argc != 2)
                return sdictl_fail(EX_USAGE, "one of create, show, certificate, request");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strcmp(verbs[i].name, argv[1]) == 0)
                        return verbs[i].run(config);
        return sdictl_fail(EX_USAGE, "\"%s\" is none of create, show, certificate, request", argv[1]);
}
